"""One table back into the running node that lost it, whose table has another id by now: with
nodetool import, or before Cassandra 4.0 with nodetool refresh."""

import datetime

import pytest

import agent
import rows
import schema
from backup import Backup
from conftest import compare
from node import Node, address
from one_table import restore_table

TOKEN = 1234567890123456789
LOST = "orders"


class Loss:
    def __init__(self, folder, version):
        self.node = Node(folder / "n", version, address(31), "prod", tokens=[TOKEN])
        self.node.start()
        self.session = self.node.session()
        schema.create(self.session, version)
        rows.write(self.session, 0, 120)
        backup = Backup(folder / "backup", "v1" if version == "3.11" else "v2", "prod", TOKEN)
        now = datetime.datetime.now(datetime.timezone.utc)
        backup.snapshot(self.node, now)
        rows.write(self.session, 120, 160)
        backup.incrementals(self.node, now + datetime.timedelta(minutes=2))
        self.sums = rows.sums(self.session)
        self.source = backup.tree
        # By mistake, and created again in haste: the directory has another name.
        self.old_dirs = self.node.table_dirs(schema.KEYSPACE, LOST)
        self.session.execute(f"DROP TABLE {LOST}")
        self.session.execute(f"CREATE TABLE {LOST} {schema.TABLES[LOST]}")


def live_dirs(loss):
    return set(loss.node.table_dirs(schema.KEYSPACE, LOST)) - set(loss.old_dirs)


@pytest.fixture(scope="module")
def loss(tmp_path_factory, version):
    found = Loss(tmp_path_factory.mktemp(f"loss-{version}"), version)
    yield found
    found.node.kill()


def test_cassandra_runs_on_the_target(loss):
    """Refused, and nothing is touched, also when --replace allows for a populated table."""
    data = loss.node.data_dirs[0]
    for words in ([], ["--replace", f"{schema.KEYSPACE}.{LOST}"]):
        done = agent.run("restore", loss.source, "--into", data, *words)
        assert done.returncode == 78, done.stderr
        assert f"in use by process {loss.node.pid}, Cassandra" in done.stderr
    assert not (data / ".penates").exists()
    assert rows.sums(loss.session)[LOST] == (0, f"{0:064x}")


def test_one_table_into_the_running_node(loss, version):
    name = f"{schema.KEYSPACE}.{LOST}"
    if version == "3.11":
        refresh(loss, name)
    else:
        done = restore_table(loss.node, loss.source, name, "--by", "import")
        assert done.returncode == 0, done.stderr
        count, _ = loss.sums[LOST]
        assert f"{name}: 0 rows before, {count} rows after" in done.stdout
    (live,) = live_dirs(loss)
    assert list(live.glob("*-Data.db"))
    compare(rows.sums(loss.session), loss.sums)
    loss.node.verify(schema.KEYSPACE, LOST)
    assert loss.node.log_errors() == []


def refresh(loss, name):
    """Into the table's own directory; that of the dropped table is there, too, hence the id."""
    (live,) = live_dirs(loss)
    done = agent.run("restore", loss.source, "--include", name, "--as",
                     f"{schema.KEYSPACE}.{live.name}", "--into", *loss.node.data_dirs)
    assert done.returncode == 0, done.stderr
    assert rows.sums(loss.session)[LOST][0] == 0, "nothing is seen before refresh"
    loss.node.nodetool("refresh", schema.KEYSPACE, LOST)


def test_import_does_not_fill_views(loss, version):
    if version == "3.11":
        pytest.skip("nodetool import came with 4.0")
    done = restore_table(loss.node, loss.source, f"{schema.KEYSPACE}.Users", "--by", "import")
    assert done.returncode == 78, done.stderr
    assert "has materialized views" in done.stderr
