"""A backup that Priam 1.1.56's own classes make of a running Cassandra 3.11, restored by penates:
the same files as Priam's own restore gives, and a fresh node returns the rows of the source."""

import datetime
import hashlib

import agent
import conftest
import pytest
import rows
import schema
from node import Node, address
from priam_1 import Priam1

TOKEN = -3074457345618258603


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def files_of(folder):
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*") if path.is_file()}


def compare_files(ours, theirs):
    """The same, but for what belongs to each restore, and what is true of the source node only: it
    is not restored by penates, nor by later Priams. (1.1.56 looks for the tables' names without
    their ids, as Cassandra 1.1 had them.)"""
    node_s = {name for name in theirs
              if name.startswith(("system/local-", "system/peers-", "system/hints-"))}
    assert any(name.endswith("-Data.db") for name in node_s)
    assert set(theirs) - set(ours) == node_s | {"meta.json"}
    assert {name.split("/")[0] for name in set(ours) - set(theirs)} == {".penates"}
    both = set(ours) & set(theirs)
    assert {name: ours[name] for name in both} == {name: theirs[name] for name in both}


@pytest.mark.skipif("3.11" not in conftest.CHOSEN, reason="3.11 is not among the versions chosen")
@pytest.mark.timeout(900)
def test_round_trip(tmp_path, monkeypatch):
    # A table with an index is more than Priam 1.1.56 can back up.
    for module in (schema, rows):
        monkeypatch.setattr(module, "INDEXES", {})
    began = now()
    with Node(tmp_path / "source", "3.11", address(21), "prod", tokens=[TOKEN],
              yaml={"incremental_backups": False}) as source:
        session = source.session()
        schema.create(session, "3.11")
        rows.write(session, 0, 60)
        with Priam1(tmp_path / "priam", source, "prod", TOKEN) as priam:
            seconds = [priam.run("snapshot")]
            source.nodetool("enablebackup")  # Only now: each object costs a tenth of a second.
            rows.write(session, 60, 90)
            source.nodetool("flush")
            seconds.append(priam.run("incremental"))
            wanted = rows.sums(session)
            source.stop()
            end = now() + datetime.timedelta(minutes=2)
            (tmp_path / "target").mkdir()
            agent.restore(priam.source, tmp_path / "target" / "data", "--at", end.isoformat(),
                          env=priam.env)
            theirs = tmp_path / "theirs"
            theirs.mkdir()
            seconds.append(priam.run("restore", f"{began:%Y%m%d%H%M},{end:%Y%m%d%H%M}",
                                     data=theirs))
            kinds = [key.split("/")[5] for key in priam.keys()]
    assert {kind: kinds.count(kind) > 1 for kind in kinds} == {
        "META": False, "SNAP": True, "SST": True}
    print(f"{len(kinds)} objects; snapshot, incremental and restore of Priam's took",
          *(f"{s:.0f} s" for s in seconds))
    compare_files(files_of(tmp_path / "target" / "data"), files_of(theirs))
    with Node(tmp_path / "target", "3.11", address(22), "other", tokens=[TOKEN]) as target:
        session = target.session()
        session.set_keyspace(schema.KEYSPACE)
        conftest.compare(rows.sums(session), wanted)
        assert target.log_errors() == []
