"""Backup: the keys carry the instants chosen, and what penates restores of them are the node's
files."""

import datetime
import hashlib

import agent
import pytest
import rows
import schema
from backup import Backup
from conftest import CHOSEN
from node import Node, address

TOKEN = -3074457345618258603
AT = datetime.datetime(2024, 2, 29, 23, 58, 7, tzinfo=datetime.timezone.utc)
LATER = AT + datetime.timedelta(minutes=3)
LAST = AT + datetime.timedelta(minutes=7)

# version, dialect, what is compressed again
CASES = [case for case in (("3.11", "v1", "ALL"), ("4.1", "v2", "IF_REQUIRED"))
         if case[0] in CHOSEN]


def live_files(node, keyspace=schema.KEYSPACE):
    """Path below the data directory -> SHA-256, of the tables and their indexes."""
    found = {}
    for data in node.data_dirs:
        for path in (data / keyspace).rglob("*"):
            name = path.relative_to(data)
            if path.is_file() and not {"backups", "snapshots"} & set(name.parts):
                found[str(name)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def restored_files(folder, keyspace=schema.KEYSPACE):
    """The same of what penates wrote, but for the two files that a snapshot adds."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (folder / keyspace).rglob("*")
            if path.is_file() and path.name not in ("manifest.json", "schema.cql")}


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(case))
def made(request, tmp_path_factory):
    """A node's backup: snapshot at AT, incrementals at LATER, snapshot at LAST; and the files of
    the tables at both snapshots."""
    version, dialect, compress = request.param
    folder = tmp_path_factory.mktemp("backup")
    backup = Backup(folder / "backup", dialect, "prod", TOKEN, compress=compress)
    files = {}
    with Node(folder / "node", version, address(7), "prod", tokens=[TOKEN]) as node:
        session = node.session()
        schema.create(session, version)
        node.nodetool("disableautocompaction")
        rows.write(session, 0, 60)
        backup.snapshot(node, AT)
        files[AT] = live_files(node)
        rows.write(session, 60, 90)
        backup.incrementals(node, LATER)
        files[LATER] = live_files(node)
        assert not [path for path in node.data_dirs[0].glob(f"{schema.KEYSPACE}/*/backups/**/*")
                    if path.is_file()]
        backup.snapshot(node, LAST)
        assert not list(node.data_dirs[0].glob("*/*/snapshots/*"))
    return dialect, backup, files


def keys_of(backup):
    bucket = backup.folder / "bucket"
    return [str(path.relative_to(bucket)) for path in bucket.rglob("*") if path.is_file()]


def test_instants(made):
    dialect, backup, _ = made
    found = {}
    for key in keys_of(backup):
        part = key.split("/")
        kind, instant = (part[5], part[4]) if part[1] == "us-east-1" else (part[3], part[4])
        found.setdefault(kind, set()).add(instant)
    minutes = [f"{at:%Y%m%d%H%M}" for at in (AT, LATER, LAST)]
    seconds = [str(int(at.timestamp()) * 1000) for at in (AT, LATER, LAST)]
    ends = {minutes[0], minutes[2]}
    if dialect == "v1":
        assert found == {"SNAP": ends, "META": ends, "SST": {minutes[0], minutes[1]},
                         "SECONDARY_INDEX_V2": {seconds[0], seconds[1]}}
    else:
        assert found == {"META_V2": {seconds[0], seconds[2]}, "SST_V2": set(seconds),
                         "SECONDARY_INDEX_V2": {seconds[0], seconds[1]}}


def check_restored(made, tmp_path, at, source, env=None):
    dialect, _, files = made
    agent.restore(source, tmp_path / "data", "--at", at.isoformat(), env=env)
    # v1 has no indexes to restore.
    wanted = {name: digest for name, digest in files[at].items()
              if dialect == "v2" or "/." not in name}
    tables = {name.split("/")[1] for name in wanted}
    assert {name.rsplit("-", 1)[0] for name in tables} == {*schema.TABLES, *schema.VIEWS}
    restored = restored_files(tmp_path / "data")
    # schema.py drops a table; what was flushed of it lay in backups/ still.
    dropped = {name for name in restored if name.split("/")[1] not in tables}
    assert all(name.startswith(f"{schema.KEYSPACE}/again-") for name in dropped)
    assert {name: restored[name] for name in restored.keys() - dropped} == wanted


def test_snapshot_is_the_node_s_files(made, tmp_path):
    check_restored(made, tmp_path, AT, [made[1].tree])


def test_incrementals_too_from_a_server(made, tmp_path):
    with made[1].serve() as (source, env):
        check_restored(made, tmp_path, LATER, source, env)
