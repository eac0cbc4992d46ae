"""--as and --table-map: tables under other names, and added to those of a data directory."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from jsonschema import Draft202012Validator

from conftest import DATA, ROOT, penates, sha256_tree, source_args
from fake_s3 import FakeS3
from small_backup import TABLE, SmallBackup, standard

ID = "11111111222211118000333344445555"
OLDER = "users-5a1c395eb41f11e5bb4d2d6e00000000"  # the time in it is before that of TABLE
OTHER = "users-5a1c395eb41f41e6bb4d2d6e00000000"  # version 4: has no time


@pytest.fixture
def server():
    with FakeS3(standard().store) as fake:
        yield fake


def add(server, target, *more, name="ks2.people"):
    return penates("restore", *source_args(server), "--include", "ks.users", "--as", name,
                   "--into", target, "--report", target.parent / "report.json", *more)


def report(target):
    text = json.loads((target.parent / "report.json").read_text())
    schema = json.loads((ROOT / "deploy" / "schema" / "report.schema.json").read_text())
    Draft202012Validator(schema).validate(text)
    return text


@pytest.fixture
def target(tmp_path):
    """A data directory with one table that holds SSTables 2 and 7, and one index of it."""
    folder = tmp_path / "data" / "ks2" / f"people-{ID}"
    (folder / ".by_mail").mkdir(parents=True)
    for name in ("nb-2-big-Data.db", "nb-2-big-TOC.txt", "nb-7-big-Data.db",
                 ".by_mail/nb-1-big-Data.db"):
        (folder / name).write_bytes(b"old " + name.encode())
    return tmp_path / "data"


def plain_by_name(backup, renames, folder):
    """The backup's files as they should lie there."""
    wanted = {}
    for path, plain in backup.plain.items():
        name = pathlib.Path(path).name
        for old, new in renames.items():
            name = name.replace(old, new)
        wanted[f"{folder}/{name}"] = hashlib.sha256(plain).hexdigest()
    return wanted


def test_loader_layout(server, tmp_path):
    args = ["--include", "ks.*", "--layout", "loader", "--into", tmp_path / "load"]
    result = penates("restore", *source_args(server), *args, "--table-map", "ks.*=ks2.*")
    assert result.code == 0, result.err
    assert all(name.startswith("ks2/users/nb-") for name in sha256_tree(tmp_path / "load"))
    other = args[:-1] + [tmp_path / "load2"]
    result = penates("restore", *source_args(server), *other, "--as", "a.b")
    assert result.code == 0, result.err
    assert all(name.startswith("a/b/nb-") for name in sha256_tree(tmp_path / "load2"))
    assert len(sha256_tree(tmp_path / "load2")) == 15


def test_added_to_a_table(server, target):
    before = sha256_tree(target)
    planned = penates("plan", *source_args(server), "--include", "ks.users", "--as", "ks2.people",
                      "--into", target)
    assert planned.code == 0, planned.err
    assert "ks2.people: 1 SSTables get new numbers: theirs are taken there" in planned.err
    assert "ks2/people (added to what is there)" in planned.out
    assert sha256_tree(target) == before
    result = add(server, target)
    assert result.code == 0, result.err
    folder = f"ks2/people-{ID}"
    wanted = {**before, **plain_by_name(standard(), {"nb-2-": "nb-8-"}, folder)}
    assert sha256_tree(target) == wanted
    said = report(target)["added"]
    assert said == [{"keyspace": "ks2", "table": "people", "folder": folder, "running": False,
                     "indexed": True, "renumbered": [{"from": "nb-2-big", "to": "nb-8-big"}]}]
    assert f"{folder}/nb-8-big-Data.db" in [file["path"] for file in report(target)["files"]]
    assert "rebuild_index" in result.err and "start Cassandra" in result.err
    again = add(server, target)
    assert again.code == 0 and "already restored" in again.err
    assert f"to swap or add the tables once more, move {target}/.penates away" in again.err
    assert "needs another directory" not in again.err
    assert sha256_tree(target) == wanted


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_get_the_owner_of_the_table(server, target):
    folder = target / "ks2" / f"people-{ID}"
    os.chown(folder, 12345, 12346)
    assert add(server, target).code == 0
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in folder.glob("nb-8-*")}
    assert owners == {(12345, 12346)}
    os.chown(target, 12347, 12348)
    result = add(server, target, name=f"ks3.made-{ID}")
    assert result.code == 0, result.err
    made = [target / "ks3", *(target / "ks3").rglob("*")]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(12347, 12348)}
    assert len(made) == 17


def test_which_directory(server, target):
    result = add(server, target, name="ks2.nobody")
    assert result.code == 78
    assert "has no directory of table ks2.nobody" in result.error
    assert "create the table first" in result.error
    (target / "ks2" / f"people-{ID[::-1]}").mkdir()
    result = add(server, target)
    assert result.code == 78
    assert ID in result.error and ID[::-1] in result.error
    result = add(server, target, name=f"ks2.people-{ID[::-1]}")
    assert result.code == 0, result.err
    assert len(sha256_tree(target / "ks2" / f"people-{ID[::-1]}")) == 15
    assert len(sha256_tree(target / "ks2" / f"people-{ID}")) == 4


def test_logs_of_a_killed_cassandra(server, target):
    """Their names would be removed at its next start, whether or not there is such a file now."""
    folder = target / "ks2" / f"people-{ID}"
    (folder / "nb_txn_flush_3bcee4e0-75d9-11f1-8000-000000000000.log").write_text(
        f"ADD:[{folder}/nb-8-big-,0,8][1]")
    result = add(server, target)
    assert result.code == 0, result.err
    assert "logs that a killed Cassandra left there" in result.err
    names = {path.name for path in folder.glob("*-Data.db")}
    assert names == {"nb-2-big-Data.db", "nb-7-big-Data.db", "nb-1000008-big-Data.db",
                     "nb-1000009-big-Data.db", "nb-1000010-big-Data.db"}


@pytest.mark.parametrize("linked", ["ks2", f"ks2/people-{ID}"])
def test_symlinks_are_named(server, target, linked):
    away = target.parent / "away"
    (target / linked).rename(away)
    (target / linked).symlink_to(away)
    before = sha256_tree(away)
    for name in ("ks2.people", f"ks2.people-{ID}"):
        result = add(server, target, name=name)
        assert result.code == 78
        assert f"'{linked}" in result.error and "leads over a symlink" in result.error
    assert sha256_tree(away) == before and not (target / ".penates").exists()


def test_the_same_sstable_is_there_already(target):
    """A name with a UUID is that of one SSTable in the world."""
    backup = SmallBackup()
    prefix = "nb-3gp1_0kd1_2n3xs2q7o1x8a8v2x9-big-"
    for part in ("Data.db", "Index.db"):
        backup.add(prefix + part, part.encode())
    backup.add(prefix + "TOC.txt", b"Data.db\nIndex.db\nTOC.txt\n")
    with FakeS3(backup.seal()) as server:
        assert add(server, target).code == 0
        there = sha256_tree(target)
        assert f"ks2/people-{ID}/{prefix}Data.db" in there
        shutil.rmtree(target / ".penates")
        result = add(server, target)
        assert result.code == 78
        assert f"SSTable '{prefix[:-1]}' is in 'ks2/people-{ID}' already" in result.error
        assert sha256_tree(target) == there and not (target / ".penates").exists()


def test_second_errand_and_earlier_reports(server, target):
    assert add(server, target).code == 0
    first = (target / ".penates" / "report.json").read_text()
    result = add(server, target, name=f"ks3.other-{ID}")
    assert result.code == 0, result.err
    earlier = list((target / ".penates" / "earlier").iterdir())
    assert len(earlier) == 1
    assert sorted(path.name for path in earlier[0].iterdir()) == ["journal", "report.json",
                                                                 "restored"]
    assert (earlier[0] / "report.json").read_text() == first
    assert penates("status", target, "--json").json["state"] == "done"
    whole = penates("restore", *source_args(server), "--into", target)
    assert whole.code == 78
    assert "holds another restore, finished" in whole.error
    assert len(list((target / ".penates" / "earlier").iterdir())) == 1


def test_the_same_errand_after_another(server, target):
    """A list of errands that is run again from its start."""
    assert add(server, target).code == 0
    assert add(server, target, name=f"ks3.other-{ID}").code == 0
    before = sha256_tree(target)
    result = add(server, target)
    assert result.code == 78
    assert "was finished there before" in result.error
    assert sha256_tree(target) == before
    (earlier,) = (target / ".penates" / "earlier").iterdir()
    assert f"move '.penates/earlier/{earlier.name}' away" in result.error
    earlier.rename(target.parent / "away")
    assert add(server, target).code == 0


def test_unfinished_other_stays_refused(server, target):
    assert add(server, target).code == 0
    (target / ".penates" / "restored").unlink()
    result = add(server, target, name=f"ks3.other-{ID}")
    assert result.code == 78
    assert not (target / ".penates" / "earlier").exists()


@pytest.mark.parametrize("args, words", [
    (["--as", "ks2"], "names no table of the target"),
    (["--as", "ks2.a-12"], "names no table of the target"),
    (["--as", "ks2.../x"], "names no table of the target"),
    (["--as", "system.paxos"], "the node's own"),
    (["--as", "a.b", "--table-map", "ks.users=a.c"], "exclude each other"),
    (["--table-map", "ks.users"], "maps no table"),
    (["--table-map", "ks.*=ks2.t"], "names no table of the target"),
    (["--table-map", "ks.users=a.b,ks.users=a.c"], "mapped twice"),
    (["--table-map", "ks.user=a.b"], "no table of this restore has that name"),
    (["--as", f"a.b-{ID}", "--layout", "loader"], "has no place for the id"),
    (["--as", "a.b", "--replace", "ks.users"], "is restored as a.b"),
])
def test_usage(server, target, args, words):
    before = sha256_tree(target)
    result = penates("restore", *source_args(server), "--into", target, *args)
    assert result.code == 64, result.err
    assert words in result.error
    assert sha256_tree(target) == before and not (target / ".penates").exists()


def test_several_tables_and_one_name(tmp_path):
    backup = standard(1)
    for table in ("carts-5a1c395eb41f11e6bb4d2d6e00000001",):
        backup.add("nb-1-big-Data.db", b"cart", table=table)
        backup.add("nb-1-big-Index.db", b"cart", table=table)
        backup.add("nb-1-big-TOC.txt", b"Data.db\nIndex.db\nTOC.txt\n", table=table)
    backup.seal()
    with FakeS3(backup.store) as server:
        def run(*args):
            return penates("restore", *source_args(server), "--layout", "loader", "--into",
                           tmp_path / "load", *args)
        result = run("--as", "a.b")
        assert result.code == 64
        assert "ks.carts, ks.users" in result.error and "--include" in result.error
        result = run("--table-map", "ks.carts=ks.users")
        assert result.code == 64
        assert "would both be ks.users" in result.error
        assert run("--table-map", "ks.carts=ks2.trolleys").code == 0
        folders = {str(pathlib.Path(name).parent) for name in sha256_tree(tmp_path / "load")}
        assert folders == {"ks/users", "ks2/trolleys"}


def test_saved_plan(server, target):
    saved = target.parent / "plan.json"
    assert penates("plan", *source_args(server), "--include", "ks.users", "--as", "ks2.people",
                   "--out", saved).code == 0
    schema = json.loads((ROOT / "deploy" / "schema" / "plan.schema.json").read_text())
    Draft202012Validator(schema).validate(json.loads(saved.read_text()))
    result = penates("restore", "--plan", saved, "--into", target, "--endpoint", server.endpoint,
                     "--path-style")
    assert result.code == 0, result.err
    assert (target / "ks2" / f"people-{ID}" / "nb-8-big-Data.db").exists()
    refused = penates("restore", "--plan", saved, "--as", "a.b", "--into", target)
    assert refused.code == 64


def two_incarnations(tables):
    backup = SmallBackup()
    for table in tables:
        for part in ("Data.db", "Index.db"):
            backup.add(f"nb-1-big-{part}", f"{part} of {table}".encode(), table=table)
        backup.add("nb-1-big-TOC.txt", b"Data.db\nIndex.db\nTOC.txt\n", table=table)
    return backup.seal()


def test_dropped_and_created_again(tmp_path):
    with FakeS3(two_incarnations([TABLE, OLDER])) as server:
        def run(name, *args):
            into = tmp_path / name
            result = penates("restore", *source_args(server), "--into", into, "--report",
                             tmp_path / "report.json", *args)
            assert result.code == 0, result.err
            return {path: (into / path).read_text() for path in sha256_tree(into)}
        both = run("data")
        assert {path.split("/")[1] for path in both} == {TABLE, OLDER}
        newest = run("load", "--layout", "loader")
        assert newest["ks/users/nb-1-big-Data.db"] == f"Data.db of {TABLE}"
        notes = json.loads((tmp_path / "report.json").read_text())["skipped"]
        assert notes == [{"subject": f"ks.{OLDER}", "files": 3, "bytes": notes[0]["bytes"],
                          "why": f"the table was dropped and created again: '{TABLE}' is newer"}]
        chosen = run("old", "--layout", "loader", "--include", f"ks.{OLDER}")
        assert chosen["ks/users/nb-1-big-Data.db"] == f"Data.db of {OLDER}"
        chosen = run("not", "--layout", "loader", "--exclude", f"ks.{TABLE}")
        assert chosen["ks/users/nb-1-big-Data.db"] == f"Data.db of {OLDER}"
        added = run("added", "--as", f"ks.users-{ID}")
        assert added[f"ks/users-{ID}/nb-1-big-Data.db"] == f"Data.db of {TABLE}"


def test_a_name_for_each_incarnation(tmp_path):
    with FakeS3(two_incarnations([TABLE, OLDER])) as server:
        def run(name, layout, table_map):
            into = tmp_path / name
            result = penates("restore", *source_args(server), "--into", into, "--layout", layout,
                             "--table-map", table_map)
            data = {path: (into / path).read_text() for path in sha256_tree(into)
                    if path.endswith("-Data.db")}
            return result, data
        result, data = run("load", "loader", f"ks.{TABLE}=ks.new,ks.{OLDER}=ks.old")
        assert result.code == 0, result.err
        assert data == {"ks/new/nb-1-big-Data.db": f"Data.db of {TABLE}",
                        "ks/old/nb-1-big-Data.db": f"Data.db of {OLDER}"}
        result, data = run("one", "loader", f"ks.{OLDER}=ks.old")
        assert result.code == 0, result.err
        assert data == {"ks/users/nb-1-big-Data.db": f"Data.db of {TABLE}",
                        "ks/old/nb-1-big-Data.db": f"Data.db of {OLDER}"}
        other = ID[::-1]
        result, data = run("data", "data", f"ks.{TABLE}=ks.new-{ID},ks.{OLDER}=ks.old-{other}")
        assert result.code == 0, result.err
        assert data == {f"ks/new-{ID}/nb-1-big-Data.db": f"Data.db of {TABLE}",
                        f"ks/old-{other}/nb-1-big-Data.db": f"Data.db of {OLDER}"}
        result, data = run("both", "loader", f"ks.{TABLE}=ks.a,ks.{OLDER}=ks.a")
        assert result.code == 64 and data == {}
        assert TABLE in result.error and OLDER in result.error
        assert "would both be ks.a" in result.error


def test_incarnations_without_a_time(tmp_path):
    with FakeS3(two_incarnations([TABLE, OTHER])) as server:
        result = penates("restore", *source_args(server), "--layout", "loader", "--into",
                         tmp_path / "load")
        assert result.code == 78
        assert "created twice" in result.error and f"--include ks.{OTHER}" in result.error


def test_cassandra_at_work(server, target):
    """A stand-in for Cassandra's process: what is added gets numbers out of its reach."""
    java = target.parent / "java"
    shutil.copy(shutil.which("sleep"), java)
    held = open(target / "ks2" / f"people-{ID}" / "nb-7-big-Data.db", "rb")
    process = subprocess.Popen([java, "600"], stdin=held)
    try:
        refused = penates("restore", *source_args(server), "--into", target, "--replace", "ks.*")
        assert refused.code == 78
        assert "in use by process" in refused.error
        mixed = penates("restore", *source_args(server), "--into", target, "--layout", "loader",
                        "--as", "a.b")
        assert mixed.code == 78
        result = add(server, target)
    finally:
        process.kill()
        process.wait()
        held.close()
    assert result.code == 0, result.err
    assert "run 'nodetool refresh ks2 people'" in result.err
    names = {path.name for path in (target / "ks2" / f"people-{ID}").glob("*-Data.db")}
    assert names == {"nb-2-big-Data.db", "nb-7-big-Data.db", "nb-1000008-big-Data.db",
                     "nb-1000009-big-Data.db", "nb-1000010-big-Data.db"}
    assert report(target)["added"][0]["running"]


def test_sample(tmp_path):
    """A table of the sample, which has an index, once more beside itself."""
    fixture = DATA / "priam-v2" / "bucket" / "backup"
    target = tmp_path / "data"
    assert penates("restore", fixture, "--into", target).code == 0
    before = sha256_tree(target)
    table = next((target / "shop").glob("Users-*"))
    assert any(path.name.startswith(".") for path in table.iterdir()), "it has no index"
    result = penates("restore", fixture, "--include", "shop.Users", "--as", "shop.Users", "--into",
                     target, "--report", tmp_path / "report.json")
    assert result.code == 0, result.err
    after = sha256_tree(target)
    assert {name: after[name] for name in before} == before
    new = {name: after[name] for name in after if name not in before}
    own = [name for name in before if name.startswith(f"shop/{table.name}/nb-")]
    assert len(new) == len(own) > 0
    assert sorted(new.values()) == sorted(before[name] for name in own)
    told = json.loads((tmp_path / "report.json").read_text())
    assert [note["subject"].split("/")[0] for note in told["skipped"]
            if "index" in note["why"]] == ["shop.Users"]
    assert not any("/." in name or name.endswith((".json", ".cql")) for name in new)
