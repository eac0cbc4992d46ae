"""A table of a backup that is added to another one: of a running node, and of a stopped one.

The node writes, flushes and starts again in between: what was added must not be overwritten by it,
deleted as the remains of something, or missed by an index.
"""

import uuid

import pytest

import agent
from test_fixtures import HOME, date_range, expected, restored, serve

OWN = 7  # rows that the node itself writes at a time


def count(session, table):
    return session.execute(f"SELECT count(*) FROM other.{table}").one()[0]


def by_email(session, table):
    """As test_fixtures.by_email, by the other table's own index."""
    return sum(len(list(session.execute(f"SELECT id FROM other.{table} WHERE email = %s",
                                        (f"u{i}@example.org",)))) for i in range(0, 40, 2))


def make_table(node, table):
    session = node.session()
    session.execute(f"CREATE TABLE other.{table} (id uuid PRIMARY KEY, country text, email text, "
                    "score int)")
    session.execute(f"CREATE INDEX {table}_email ON other.{table} (email)")
    write(node, table)


def write(node, table):
    for _ in range(OWN):
        node.session().execute(f"INSERT INTO other.{table} (id, email) VALUES (%s, 'own')",
                               (uuid.uuid4(),))
    node.nodetool("flush", "other", table)


def add(node, backup, table):
    with serve(backup, "directory") as (source, env):
        return agent.restore(source, node.data_dirs, "--range", date_range(backup, "p3"),
                             "--include", "shop.Users", "--as", f"other.{table}", env=env)


def check(node, table, own, wanted):
    session = node.session()
    assert count(session, table) == own + wanted["Users"][0]
    found = {row for row in session.execute(f"SELECT id, country, email, score FROM other.{table}")
             if row[2] != "own"}
    assert found == set(session.execute('SELECT id, country, email, score FROM shop."Users"'))
    assert by_email(session, table) == wanted["Users.by_index"][0]
    node.verify("other", table)
    assert node.log_errors() == []


@pytest.mark.parametrize("backup", sorted(HOME))
def test_added_table(backup, version, tmp_path):
    if version != HOME[backup]:
        pytest.skip("each backup on the Cassandra that wrote it")
    wanted = expected(backup, "p3")
    with restored(tmp_path / "node", backup, version, "p3", kind="directory") as node:
        node.session().execute("CREATE KEYSPACE other WITH replication = "
                               "{'class': 'SimpleStrategy', 'replication_factor': 1}")
        make_table(node, "live")
        make_table(node, "later")
        told = add(node, backup, "live")["added"]
        assert [table["running"] for table in told] == [True]
        assert told[0]["renumbered"]
        for _ in range(3):  # these take the numbers that come next
            write(node, "live")
        assert count(node.session(), "live") == 4 * OWN
        node.nodetool("refresh", "other", "live")
        check(node, "live", 4 * OWN, wanted)
        node.stop()
        told = add(node, backup, "later")["added"]
        assert [(table["running"], table["indexed"]) for table in told] == [(False, True)]
        node.start()
        assert count(node.session(), "later") == OWN + wanted["Users"][0]
        assert by_email(node.session(), "later") == 0  # which the report warns of
        node.nodetool("rebuild_index", "other", "later", "later_email")
        check(node, "later", OWN, wanted)
        write(node, "later")
        node.nodetool("compact", "other")
        check(node, "later", 2 * OWN, wanted)
        check(node, "live", 4 * OWN, wanted)
