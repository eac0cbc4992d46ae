"""A live node is backed up over time, and comes back as it was at any of these times.

The source writes, is backed up, and is stopped for good. Each restore goes to empty data
directories; a Cassandra with the same token and another cluster name starts on them and has, table
by table, the rows that the source had, by its indexes and its view, too. What is known of the
restored data beforehand is only what the source was asked at that time.

The source's times are given: 10:00 first snapshot; 10:05 incrementals; then a table is dropped and
made again, 10:10 incrementals; tables are compacted, 10:20 second snapshot; 10:25 incrementals.
"""

import contextlib
import dataclasses
import shutil

import pytest

import agent
import rows
import schema
from backup import Backup
from flavours import (CHOSEN_FLAVOURS, Flavour, at, check_life, check_names, new_backup, new_node,
                      rfc3339)

@dataclasses.dataclass
class Source:
    flavour: Flavour
    backup: Backup
    sums: dict = dataclasses.field(default_factory=dict)  # of the minute
    last: dict = dataclasses.field(default_factory=dict)  # minute -> rows are numbered below this


def note(source, session, minute, last):
    source.sums[minute], source.last[minute] = rows.sums(session), last


@pytest.fixture(scope="module", params=CHOSEN_FLAVOURS,
                ids=lambda flavour: flavour.id)
def source(request, tmp_path_factory):
    flavour = request.param
    folder = tmp_path_factory.mktemp(flavour.id)
    made = Source(flavour, new_backup(folder / "backup", flavour))
    with new_node(folder / "n", flavour, "source").start() as node:
        session = node.session()
        schema.create(session, flavour.version)
        rows.write(session, 0, 240)
        made.backup.snapshot(node, at(0))
        rows.write(session, 240, 350)
        made.backup.incrementals(node, at(5))
        note(made, session, 5, 350)
        schema.make_again(session)
        rows.write(session, 350, 400)
        made.backup.incrementals(node, at(10))
        note(made, session, 10, 400)
        node.nodetool("compact", schema.KEYSPACE, "orders", "wide", "gone", "Users")
        rows.write(session, 400, 450)
        made.backup.snapshot(node, at(20))
        note(made, session, 20, 450)
        rows.write(session, 450, 500)
        made.backup.incrementals(node, at(25))
        note(made, session, 25, 500)
        check_names(node, flavour)
        assert made.sums[25]["fades"][0] == sum(1 for n in range(500) if n % 3)
    shutil.rmtree(folder / "n")
    yield made
    shutil.rmtree(folder)


def restore(source, node, minute, *args, kind="s3"):
    with agent.serve(source.backup.folder, kind) as (where, env):
        return agent.restore(where, node.data_dirs, "--at", rfc3339(at(minute)), *args, env=env)


def check_index_rule(report, node):
    """Either the indexes came along and IndexInfo says so, or neither and Cassandra builds them;
    and the report says which: "complete" or "rebuilt"."""
    told = any(path.is_file() for data in node.data_dirs
               for path in data.glob("system/IndexInfo-*/*"))
    files = {path.parent.name for data in node.data_dirs
             for path in data.glob(f"{schema.KEYSPACE}/Users-*/.*/*-Data.db")}
    said = report["nodes"][0]["indexes"]
    assert (told, said) == ((True, "complete") if said == "complete" else (False, "rebuilt"))
    if told:
        assert files == {f".{index}" for index in schema.INDEXES}
    return said


# The moment that is asked for, and the last backup before it.
MOMENTS = {"between": (7, 5), "dropped": (12, 10), "second": (20, 20)}


@pytest.mark.parametrize("moment", MOMENTS)
def test_point_in_time(source, moment, tmp_path):
    minute, last = MOMENTS[moment]
    node = new_node(tmp_path / "n", source.flavour, "another_cluster")
    report = restore(source, node, minute, kind="directory" if moment == "dropped" else "s3")
    said = check_index_rule(report, node)
    assert said == {"v1": "rebuilt", "v2": "complete"}[source.flavour.dialect]
    check_names(node, source.flavour)
    with contextlib.ExitStack() as end:
        end.callback(shutil.rmtree, node.folder)
        check_life(node, source.sums[last], source.last[last])


def test_several_data_directories(source, tmp_path):
    """The latest state; each SSTable lies whole in one directory, and each directory has some."""
    node = new_node(tmp_path / "n", source.flavour, "another_cluster", data_dirs=3)
    restore(source, node, 59)
    check_names(node, source.flavour)
    for data in node.data_dirs:
        assert list(data.glob("*/*/*-Data.db"))
    for toc in (toc for data in node.data_dirs for toc in data.rglob("*-TOC.txt")):
        sstable = toc.name.removesuffix("TOC.txt")
        for component in toc.read_text().split():
            assert (toc.parent / (sstable + component)).is_file()
    check_life(node, source.sums[25], source.last[25])


def keys_of_sstable(source, minute, table, folder):
    """component -> key, of one SSTable of the table that came at this minute; in v1 as part of a
    snapshot (SNAP) or as an incremental (SST), which may hold the same SSTable."""
    if source.flavour.dialect == "v1":
        stamp = f"/{at(minute):%Y%m%d%H%M}/{folder}/"
    else:
        stamp = f"/SST_V2/{int(at(minute).timestamp())}"
    keys = [line.split("\t")[0]
            for line in (source.backup.folder / "objects.tsv").read_text().splitlines()]
    mine = [key for key in keys if stamp in key and f"/{schema.KEYSPACE}/{table}" in key]
    first = next(key for key in mine if key.endswith("-Data.db")).rsplit("/", 1)[1]
    sstable = "/" + first.removesuffix("Data.db")
    return {key.split(sstable)[1]: key for key in mine if sstable in key}


def test_snapshot_lacks_a_component(source, tmp_path):
    """It is refused, whichever it is, and nothing has been put into the directory."""
    keys = keys_of_sstable(source, 20, "orders", "SNAP")
    for component in ("Data.db", "Statistics.db", "TOC.txt"):
        data = tmp_path / component
        data.mkdir()
        with agent.serve(source.backup.folder, without=[keys[component]]) as (where, env):
            done = agent.run("restore", *where, "--into", data, env=env)
        assert done.returncode == 66, done.stderr
        assert component in done.stderr
        assert [path for path in data.rglob("*")
                if path.is_file() and ".penates" not in path.parts] == []


@pytest.mark.parametrize("component", ["Data.db", "Statistics.db"])
def test_incremental_lacks_a_component(source, component, tmp_path):
    """No manifest names incrementals, so the SSTable counts as one whose upload had not ended: all
    of it is left out, and the report names it."""
    keys = keys_of_sstable(source, 25, "orders", "SST")
    node = new_node(tmp_path / "n", source.flavour, "another_cluster")
    with agent.serve(source.backup.folder, without=[keys[component]]) as (where, env):
        report = agent.restore(where, node.data_dirs, env=env)
    said = [note for note in report["warnings"] if f"no {component}" in note["why"]]
    assert [note["subject"].split()[0] for note in said] == [f"{schema.KEYSPACE}.orders"]
    assert said[0]["files"] == len(keys) - 1
