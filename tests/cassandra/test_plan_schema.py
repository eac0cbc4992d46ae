"""plan --schema, run by a Cassandra that knows none of the tables: they get the ids of the backup,
so that a restore of those tables finds its directories.

What cqlsh would do, a driver does here: one statement after the other, in the order printed.
"""

import pytest
from cassandra.protocol import SyntaxException

import agent
import rows
from conftest import CHOSEN
from node import Node, address
from test_fixtures import HOME, TABLES, by_email, date_range, expected, serve

SELECTED = ["--include", "shop.*"]
KEYSPACE = ("CREATE KEYSPACE shop WITH replication = "
            "{'class': 'SimpleStrategy', 'replication_factor': 1}")


def statements(cql):
    """No string of the sample's schema has a semicolon in it."""
    text = "\n".join(line for line in cql.splitlines() if not line.startswith("--"))
    return [statement.strip() for statement in text.split(";") if statement.strip()]


def schema(backup, leave_out=None):
    with serve(backup, "directory") as (source, env):
        done = agent.run("plan", *source, "--schema", *SELECTED, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = [line for line in done.stdout.splitlines() if not leave_out or leave_out not in line]
    return statements("\n".join(lines))


def names(node):
    return sorted(path.name for path in (node.data_dirs[0] / "shop").iterdir())


@pytest.mark.parametrize("backup", [name for name, home in HOME.items() if home in CHOSEN])
def test_tables_made_of_the_backups_schema_take_its_files(tmp_path, backup):
    node = Node(tmp_path / "n", HOME[backup], address(1), "another_cluster")
    with node.start():
        session = node.session()
        session.execute(KEYSPACE)
        for statement in schema(backup):
            session.execute(statement)
        for statement in schema(backup):  # IF NOT EXISTS: again does no harm
            session.execute(statement)
        node.nodetool("drain")
    made = names(node)
    with serve(backup, "directory") as (source, env):
        agent.restore(source, node.data_dirs, "--range", date_range(backup, "p3"), *SELECTED,
                      *(f"--replace=shop.{table}" for table in [*TABLES, "hits"]), env=env)
    assert names(node) == made, "no directory but those that CREATE TABLE has made"
    with node.start():
        session = node.session()
        node.nodetool("rebuild_index", "shop", "Users", "users_email_idx")
        wanted = expected(backup, "p3")
        for table in TABLES:
            name = f'"{table}"' if table != table.lower() else table
            assert rows.digest(session.execute(f"SELECT * FROM shop.{name}")) == wanted[table]
        assert by_email(session) == wanted["Users.by_index"][0]
        assert node.log_errors() == []


@pytest.mark.skipif("4.1" not in CHOSEN, reason="a newer Cassandra than the backup's")
def test_a_newer_cassandra_takes_the_schema_of_3_11(tmp_path):
    """But for two options, as the CQL itself says."""
    node = Node(tmp_path / "n", "4.1", address(1), "another_cluster")
    with node.start():
        session = node.session()
        session.execute(KEYSPACE)
        refused = next(text for text in schema("priam-v1") if "CREATE TABLE" in text)
        with pytest.raises(SyntaxException, match="dclocal_read_repair_chance"):
            session.execute(refused)
        for statement in schema("priam-v1", leave_out="read_repair_chance"):
            session.execute(statement)
        found = {row[0] for row in session.execute(
            "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'shop'")}
        assert found == {*TABLES, "hits"} - {"users_by_country"}
        assert [row[0] for row in session.execute(
            "SELECT base_table_name FROM system_schema.views WHERE keyspace_name = 'shop'")] \
            == ["Users"]
