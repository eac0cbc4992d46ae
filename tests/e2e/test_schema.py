"""plan --schema: the definitions of the tables, as CQL."""

import re

import pytest
from conftest import DATA, penates, source_args
from fake_s3 import FakeS3
from small_backup import CLUSTER, TOKEN, SmallBackup, standard, snappy

TABLES = ['"Users"', "big", "hits", "orders", "raw_events"]


def statements(cql):
    """As cqlsh takes the text apart: without comments, in order."""
    text = "\n".join(line for line in cql.splitlines() if not line.startswith("--"))
    return [statement.strip() for statement in text.split(";") if statement.strip()]


def test_the_schema_of_priams_backups(backup_s3):
    result = penates("plan", *source_args(backup_s3), "--schema")
    assert result.code == 0, result.err
    assert result.err == ""
    found = statements(result.out)
    kinds = [re.match(r"CREATE (TYPE|TABLE|INDEX|MATERIALIZED VIEW)", text)[1] for text in found]
    assert kinds == ["TYPE"] + ["TABLE"] * len(TABLES) + ["INDEX", "MATERIALIZED VIEW"]
    for name, text in zip(TABLES, found[1:]):
        assert text.startswith(f"CREATE TABLE IF NOT EXISTS shop.{name} (")
        assert re.search(r"WITH ID = [0-9a-f]{8}-[0-9a-f]{4}-1", text)
    assert 'FROM shop."Users"' in found[-1]
    assert "-- CREATE KEYSPACE shop " in result.out
    for words in ("left out the quotes", "sed '/read_repair_chance/d'"):
        assert (words in result.out) == (backup_s3.fixture.name == "priam-v1")


def test_the_fixtures_own_columns(backup_s3):
    """Column for column as cqlsh described the source."""
    result = penates("plan", *source_args(backup_s3), "--schema")
    described = statements((backup_s3.fixture / "schema.cql").read_text())

    def columns(texts):
        tables = {}
        for text in texts:
            table = re.match(r"CREATE TABLE (?:IF NOT EXISTS )?(\S+) \((.*?)\)\s*WITH", text, re.S)
            if table:
                body = re.sub(r"\s+", " ", table[2])
                tables[table[1]] = sorted(part.strip() for part in
                                          re.split(r",(?![^(<]*[)>])", body))
        return tables

    assert columns(statements(result.out)) == columns(described)
    assert len(columns(described)) == len(TABLES)


def test_only_what_is_selected_is_fetched(backup_s3):
    before = backup_s3.count("get")
    result = penates("plan", *source_args(backup_s3), "--schema", "--include", "shop.orders")
    assert result.code == 0, result.err
    assert [text.split()[1] for text in statements(result.out)] == ["TYPE", "TABLE"]
    assert backup_s3.count("get") - before == 2, "the manifest and one schema.cql"


@pytest.mark.parametrize("fixture", ["priam-v1", "priam-v2"])
def test_from_a_directory_without_looking_at_a_target(fixture, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("in the way of a restore")
    result = penates("plan", DATA / fixture / "bucket" / "backup", "--schema", "--layout", "loader",
                     "--into", tmp_path / "full")
    assert result.code == 0, result.err
    assert len(statements(result.out)) == 8


@pytest.mark.parametrize("also", [["--json"], ["--out", "plan.json"]])
def test_cql_or_a_plan(backup_s3, also):
    result = penates("plan", *source_args(backup_s3), "--schema", *also)
    assert result.code == 64
    assert f"--schema: prints CQL in place of a plan, not with {also[0]}" in result.error


def test_a_backup_without_schema():
    with FakeS3(standard().store) as server:
        result = penates("plan", *source_args(server), "--schema")
    assert result.code == 0, result.err
    assert statements(result.out) == []
    assert "-- warning: ks.users " in result.out
    assert "penates: warning: ks.users " in result.err


def test_several_nodes_need_no_loader_layout():
    """Each has the table; it is printed once."""
    backup = SmallBackup()
    backup.add("schema.cql", b"CREATE TABLE ks.users (id int PRIMARY KEY);\n")
    backup.add_sstable(1, b"row " * 100)
    backup.seal()
    for key, thing in list(backup.store.objects.items()):
        data = thing.body.data
        if "META_V2" in key:
            data = snappy(backup.manifest().replace(f"/{TOKEN}/".encode(), b"/-42/"))
        backup.store.put(key.replace(f"/{TOKEN}/", "/-42/"), data)
    with FakeS3(backup.store) as server:
        result = penates("plan", *source_args(server), "--schema", "--token", "all", "--cluster",
                         CLUSTER)
        assert server.count("get") == 3, "two manifests and one schema.cql"
    assert result.code == 0, result.err
    assert statements(result.out) == ["CREATE TABLE ks.users (id int PRIMARY KEY)"]


def test_a_broken_schema_is_a_failure():
    backup = SmallBackup()
    key = backup.add("schema.cql", b"CREATE TABLE ks.users (id int PRIMARY KEY);\n")
    backup.add_sstable(1, b"row " * 100)
    backup.seal()
    backup.store.put(key, b"no snappy")
    with FakeS3(backup.store) as server:
        result = penates("plan", *source_args(server), "--schema")
    assert result.code == 65
    assert f"'{key}': its key says SNAPPY, its bytes do not" in result.error
