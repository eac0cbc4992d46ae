"""Three nodes, backed up one after the other, destroyed, and brought back: as a ring, and table by
table into another cluster. What one of them has not, another has: RF is 2.

The first node's snapshot is taken before the second half of the rows is written, and minutes before
the others by the time it bears; it also misses what was deleted and counted since.
"""

import shutil
import time

import pytest
from cassandra import ConsistencyLevel

import agent
import rows
import schema
import uploader
from conftest import CHOSEN, compare
from node import Node, address, wait_for_index
from one_table import restore_table, work_folder

VERSION = "4.1" if "4.1" in CHOSEN else CHOSEN[-1]
TOKENS = [-6148914691236517206, 0, 6148914691236517206]
APART_S = (0, 180, 420)


def launch(folder, cluster, numbers):
    """Not started: nodes with the tokens of the ring. Each is a seed, so that they can start at
    the same time."""
    seeds = [address(n) for n in numbers]
    return [Node(folder / f"n{n}", VERSION, address(n), cluster, tokens=[token], seeds=seeds,
                 heap="384M") for n, token in zip(numbers, TOKENS, strict=True)]


def start(nodes):
    for node in nodes:
        node.launch()
    for node in nodes:
        node.wait()
    end = time.monotonic() + 60
    while not are_one(nodes):
        assert time.monotonic() < end, "the nodes have not met"
        time.sleep(0.2)


def are_one(nodes):
    """Each knows all others, and all have one schema."""
    asked = [(len(list(node.session().execute("SELECT peer FROM system.peers"))),
              node.session().execute("SELECT schema_version FROM system.local").one())
             for node in nodes]
    return set(asked) == {(len(nodes) - 1, asked[0][1])}


def stop(nodes):
    for node in nodes:
        node.kill()


class Source:
    """The backups of a ring that is no more, and what its clients read last."""

    def __init__(self, folder):
        self.tree, home = folder / "tree", folder / "prod"
        nodes = launch(home, "prod", (1, 2, 3))
        try:
            start(nodes)
            session = nodes[0].session(ConsistencyLevel.ALL)
            schema.create(session, VERSION, rf=2)
            rows.write(session, 0, 120)
            self.now = int(time.time())
            self.backup(nodes, 0)
            rows.write(session, 120, 200)
            self.backup(nodes, 1)
            self.backup(nodes, 2)
            self.sums = rows.sums(session)
        finally:
            stop(nodes)
        shutil.rmtree(home)
        self.place = self.tree / "bucket" / "backup"

    def instant(self, which):
        return self.now + APART_S[which]

    def backup(self, nodes, which):
        node = nodes[which]
        node.nodetool("snapshot", "-t", "daily")
        uploader.run("snapshot", data=node.data_dirs, tree=self.tree, dialect="v2", cluster="prod",
                     token=TOKENS[which], name="daily", instant=self.instant(which) * 1000)

    def without(self, folder, pattern):
        """A copy in which what matches is not there: the source."""
        place = folder / "backup"
        shutil.copytree(self.place, place)
        found = list(place.glob(pattern))
        assert found
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return place


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return Source(tmp_path_factory.mktemp("source"))


def restore(source, nodes, which):
    for i in which:
        agent.restore([source.place], nodes[i].data_dirs, "--token", TOKENS[i])


def text(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def wait_for_indexes(nodes):
    for node in nodes:
        for index in schema.INDEXES:
            wait_for_index(node.session(), schema.KEYSPACE, index)


def test_three_new_nodes(tmp_path, source):
    """The same tokens, another name, other addresses."""
    nodes = launch(tmp_path, "prod_again", (11, 12, 13))
    restore(source, nodes, range(3))
    try:
        start(nodes)
        wait_for_indexes(nodes)
        compare(rows.sums(nodes[0].session(ConsistencyLevel.ALL)), source.sums)
        for node in nodes:
            assert node.log_errors() == []
        nodes[1].verify(schema.KEYSPACE, *schema.TABLES)
        refuses_to_import(nodes[1], source, TOKENS[2])
    finally:
        stop(nodes)


def refuses_to_import(node, source, token):
    """Another node's files: half of their rows are not for this one."""
    done = restore_table(node, source.place, f"{schema.KEYSPACE}.raw", "--by", "import",
                         penates=["--token", token])
    assert done.returncode == 75, done.stderr
    assert "Some directories failed to import" in done.stderr
    assert list(work_folder(node).glob(f"*/files/{schema.KEYSPACE}/raw/*-Data.db"))


def test_a_node_without_backup(tmp_path, source):
    """The token is unknown to the source. With RF 2 the other two have every row: read at ALL they
    are there, at ONE they are not before a repair."""
    poor = source.without(tmp_path, f"*/{TOKENS[0]}")
    nodes = launch(tmp_path, "prod_again", (11, 12, 13))
    done = agent.run("restore", poor, "--into", nodes[0].data_dirs[0], "--token", TOKENS[0])
    assert done.returncode == 64, done.stderr
    assert f"has no token {TOKENS[0]}: the nearest of its 2: {TOKENS[1]}" in done.stderr
    assert list(nodes[0].data_dirs[0].iterdir()) == []

    restore(source, nodes, (1, 2))
    try:
        start(nodes)
        count = f'SELECT count(*) FROM {schema.quoted(schema.KEYSPACE)}.raw'
        wanted, _ = source.sums["raw"]
        assert nodes[0].session().execute(count).one()[0] < wanted
        assert nodes[0].session(ConsistencyLevel.ALL).execute(count).one()[0] == wanted
        nodes[0].nodetool("repair", "-full", schema.KEYSPACE, "raw")
        assert nodes[0].session().execute(count).one()[0] == wanted
    finally:
        stop(nodes)


def test_instants_of_the_nodes(tmp_path, source):
    report = tmp_path / "report.json"
    done = agent.run("verify", source.place, "--token", "all", "--report", report)
    assert done.returncode == 0, done.stderr
    said = (f"states of 3 nodes: the oldest of {text(source.instant(0))}, "
            f"the newest of {text(source.instant(2))}, 420 s later")
    assert said in done.stderr


# One table of all three nodes into another cluster: one node, other tokens, other table ids.


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory, source):
    node = Node(tmp_path_factory.mktemp("elsewhere") / "n", VERSION, address(21), "elsewhere",
                num_tokens=4)
    with node.start():
        schema.create(node.session(), VERSION)
        yield node


def check_tables(node, source, *names):
    found = rows.sums(node.session())
    compare({name: found[name] for name in names}, {name: source.sums[name] for name in names})


def test_one_table_with_index_and_view(source, elsewhere):
    wanted, _ = source.sums["Users"]
    done = restore_table(elsewhere, source.place, f"{schema.KEYSPACE}.Users", "--expect-rows",
                         wanted)
    assert done.returncode == 0, done.stderr
    assert f"{schema.KEYSPACE}.Users: 0 rows before, {wanted} rows after" in done.stdout
    check_tables(elsewhere, source, "Users", "users_by_country", "Users.users_email_idx",
                 "Users.Tags_Idx")
    elsewhere.verify(schema.KEYSPACE, "Users")
    assert list(work_folder(elsewhere).iterdir()) == []


def test_one_table_under_another_name(source, elsewhere):
    session = elsewhere.session()
    session.set_keyspace(schema.KEYSPACE)
    session.execute(f"CREATE TABLE orders_then {schema.TABLES['orders']}")
    done = restore_table(elsewhere, source.place, f"{schema.KEYSPACE}.orders", "--to",
                         f"{schema.KEYSPACE}.orders_then")
    assert done.returncode == 0, done.stderr
    found = rows.sums(session)
    assert found["orders_then"] == source.sums["orders"]
    assert found["orders"][0] == 0


def test_counters(source, elsewhere):
    """A second time has to be asked for, and changes nothing; what was counted since stays."""
    name, hits = f"{schema.KEYSPACE}.hits", f"{schema.quoted(schema.KEYSPACE)}.hits"
    done = restore_table(elsewhere, source.place, name)
    assert done.returncode == 0, done.stderr
    check_tables(elsewhere, source, "hits")
    session = elsewhere.session()
    page, day, n = session.execute(f"SELECT page, day, n FROM {hits} LIMIT 1").one()
    where = f"WHERE page = '{page}' AND day = {day}"
    session.execute(f"UPDATE {hits} SET n = n + 1000 {where}")
    done = restore_table(elsewhere, source.place, name)
    assert done.returncode == 78 and "counter table" in done.stderr
    done = restore_table(elsewhere, source.place, name, "--add-counters", "--work", "again",
                         penates=["--token", TOKENS[2]])
    assert done.returncode == 0, done.stderr
    assert session.execute(f"SELECT n FROM {hits} {where}").one() == (n + 1000,)
    session.execute(f"UPDATE {hits} SET n = n - 1000 {where}")
    check_tables(elsewhere, source, "hits")


def test_a_table_dropped_before(source, elsewhere):
    name = f"{schema.KEYSPACE}.gone"
    elsewhere.session().execute(f"DROP TABLE {schema.quoted(schema.KEYSPACE)}.gone")
    done = restore_table(elsewhere, source.place, name)
    assert done.returncode == 78 and "no such table in the target" in done.stderr
    done = restore_table(elsewhere, source.place, name, "--create")
    assert done.returncode == 0, done.stderr
    check_tables(elsewhere, source, "gone")


def test_a_component_missing(tmp_path, source, elsewhere):
    """Named in one node's manifest, and not there: nothing of any node is loaded."""
    poor = source.without(tmp_path, f"*/{TOKENS[1]}/SST_V2/*/{schema.KEYSPACE}/wide-*/*/*/*-Index.db")
    done = restore_table(elsewhere, poor, f"{schema.KEYSPACE}.wide")
    assert done.returncode == 66, done.stderr
    assert "Index.db" in done.stderr
    found = rows.sums(elsewhere.session())
    assert found["wide"][0] == 0
