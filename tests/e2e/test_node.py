"""What a restore does for the node around the data."""

import pytest
from conftest import penates, source_args
from fake_s3 import FakeS3
from small_backup import SmallBackup, standard


@pytest.fixture(scope="module")
def small():
    with FakeS3(standard().store) as server:
        yield server


@pytest.mark.parametrize("command", ["plan", "restore", "verify"])
def test_a_version_that_cannot_read_the_files_is_refused(small, tmp_path, command):
    into = ["--into", tmp_path / "data"] if command == "restore" else []
    result = penates(command, *source_args(small), *into, "--cassandra-version", "3.11")
    assert result.code == 78, result.err
    assert "nb-1-big-Data.db': Cassandra 3.11 cannot read it: format 'nb'" in result.error
    assert "4.0 to 5.0" in result.error
    assert not (tmp_path / "data").exists()
    if command == "plan":
        assert "ks.users" in result.out  # shown all the same


@pytest.mark.parametrize("version", ["4", "4.1.10", "5.0"])
def test_a_version_that_reads_the_files_restores(small, tmp_path, version):
    result = penates("restore", *source_args(small), "--into", tmp_path / "data",
                     "--cassandra-version", version)
    assert result.code == 0, result.err
    assert "warn" not in result.err


def test_conditions_of_a_version_are_warnings():
    backup = SmallBackup()
    for name in ("Data.db", "Index.db", "TOC.txt"):
        backup.add("oa-1-big-" + name, b"Data.db\nIndex.db\nTOC.txt\n")
    with FakeS3(backup.seal()) as server:
        plan = penates("plan", *source_args(server), "--cassandra-version", "5.0", "--json")
        assert plan.code == 0, plan.err
        (warning,) = [w["why"] for w in plan.json["warnings"] if w["subject"] == "Cassandra 5.0"]
        assert "storage_compatibility_mode" in warning
        unknown = penates("plan", *source_args(server), "--cassandra-version", "6.0", "--json")
        assert unknown.code == 0, unknown.err
        assert any("newer than what is known" in w["why"] for w in unknown.json["warnings"])


def test_a_version_that_is_none_is_a_usage_error(small):
    result = penates("plan", *source_args(small), "--cassandra-version", "4.1-rc1")
    assert result.code == 64
    assert "--cassandra-version: '4.1-rc1'" in result.error
