"""Archived objects: what the plan says of them, and --thaw."""

import json
import re
import signal
import time

import pytest
from conftest import DATA as FIXTURES
from conftest import expected_tree, finish, penates, points, sha256_tree, source_args, start
from fake_s3 import FakeS3, Fault, tree_store
from real_servers import MiniStack
from small_backup import POINT, standard

DATA = "nb-1-big-Data.db"
INDEX = "nb-2-big-Index.db"


@pytest.fixture
def backup():
    return standard()


@pytest.fixture
def server(backup):
    with FakeS3(backup.store) as fake:
        yield fake


def archive(backup, name, storage_class, tier=""):
    """An object of at least 128 KiB that is old enough, where that matters."""
    key = backup.meta_key if name == "meta" else backup.key(name)
    thing = backup.store.objects[key]
    thing.storage_class, thing.archive_tier = storage_class, tier
    thing.modified = "2023-11-14T22:13:20.000Z"
    return key, thing


def command(server, name, *args):
    into = [] if name == "verify" else ["--into"]
    return [name, *source_args(server), "--at", POINT, *into, *args]


def run(server, name, *args, **options):
    return penates(*command(server, name, *args), **options)


def check_restored(backup, target):
    for name, plain in backup.plain.items():
        assert (target / name).read_bytes() == plain


def test_refused_before_a_byte(backup, server, tmp_path):
    key, thing = archive(backup, DATA, "GLACIER")
    archive(backup, INDEX, "GLACIER_IR")
    archive(backup, "nb-3-big-Data.db", "STANDARD_IA")
    target = tmp_path / "data"
    result = run(server, "restore", target)
    assert result.code == 78, result.err
    assert re.search(r"1 object of .* is archived \(1 GLACIER\)", result.error)
    assert key in result.error
    assert "--thaw DAYS" in result.err and "3-5 hours" in result.err
    assert "1-5 minutes" in result.err
    assert not target.exists()
    assert server.count("restore") == 0
    assert server.counts_by_key("get").keys() == {backup.meta_key}
    assert run(server, "verify").code == 78


def test_plan_shows_and_saves_and_then_refuses(backup, server, tmp_path):
    key, thing = archive(backup, DATA, "DEEP_ARCHIVE")
    archive(backup, INDEX, "GLACIER")
    saved = tmp_path / "plan.json"
    result = penates("plan", *source_args(server), "--at", POINT, "--out", saved)
    assert result.code == 78, result.err
    assert re.search(rf"DEEP_ARCHIVE +1 +.* +0 +{re.escape(key)}", result.out)
    assert "2 objects" in result.error
    assert "12 hours" in result.err and "48 hours" in result.err
    plan = json.loads(saved.read_text())
    assert [row["class"] for row in plan["archived"]] == ["GLACIER", "DEEP_ARCHIVE"]
    assert plan["archived"][1] == {"class": "DEEP_ARCHIVE", "files": 1, "bytes": thing.body.size,
                                   "thawing": 0, "first": key}
    assert {f["key"]: f["archived"] for f in plan["files"]}[key] == "DEEP_ARCHIVE"
    result = penates("restore", "--plan", saved, "--into", tmp_path / "data", "--thaw", "1",
                     "--endpoint", server.endpoint, "--path-style")
    assert result.code == 0, result.err
    check_restored(backup, tmp_path / "data")


def test_thaw_and_go_on(backup, server, tmp_path):
    """Each object is asked for once; what is not archived, and what is there already, not at all."""
    thawed = [archive(backup, DATA, "GLACIER")[0], archive(backup, INDEX, "DEEP_ARCHIVE")[0]]
    _, there = archive(backup, "nb-2-big-Data.db", "GLACIER")
    there.copy = (0, time.time() + 24 * 3600)
    report, metrics = tmp_path / "report.json", tmp_path / "metrics.prom"
    result = run(server, "restore", tmp_path / "data", "--thaw", "3", "--thaw-tier", "bulk",
                 "--report", report, "--metrics", metrics, "--json")
    assert result.code == 0, result.err
    check_restored(backup, tmp_path / "data")
    assert server.counts_by_key("restore") == {key: 1 for key in thawed}
    asked = {r.key: r.body for r in server.requests if r.kind == "restore"}
    assert b"<Days>3</Days>" in asked[thawed[0]] and b"<Tier>Bulk</Tier>" in asked[thawed[0]]
    assert "thawing 2 objects of" in result.err and "48 hours" in result.err
    assert "thawed 2 objects in" in result.err
    totals = json.loads(report.read_text())["totals"]
    assert totals["thawed_objects"] == result.json["thawed_objects"] == 2
    assert 0.5 < totals["thaw_seconds"] <= totals["seconds"]
    assert 'penates_thawed_objects{command="restore"} 2' in metrics.read_text()


def test_intelligent_tiering(backup, server, tmp_path):
    """A HEAD only for what may be in an archive tier; no days: it comes back for good."""
    backup.add_sstable(9, b"large " * 40000)
    backup.add_sstable(8, b"young " * 40000)
    backup.seal()
    key, thing = archive(backup, "nb-9-big-Data.db", "INTELLIGENT_TIERING", "DEEP_ARCHIVE_ACCESS")
    archive(backup, "nb-9-big-Index.db", "INTELLIGENT_TIERING")
    young = archive(backup, "nb-8-big-Data.db", "INTELLIGENT_TIERING")[1]
    young.modified = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - 80 * 86400))
    result = run(server, "verify")
    assert result.code == 78, result.err
    assert "DEEP_ARCHIVE_ACCESS" in result.error
    assert server.counts_by_key("head") == {key: 1}
    result = run(server, "verify", "--thaw", "1")
    assert result.code == 0, result.err
    (asked,) = [r for r in server.requests if r.kind == "restore"]
    assert b"Days" not in asked.body and asked.key == key
    assert thing.archive_tier == ""


def test_archived_manifest(backup, server, tmp_path):
    """First the manifest, without which nobody knows the rest."""
    archive(backup, "meta", "GLACIER")
    key, _ = archive(backup, DATA, "GLACIER")
    for name in ("plan", "restore"):
        result = run(server, name, tmp_path / "data")
        assert result.code == 78, result.err
        assert "manifest" in result.error and backup.meta_key in result.error
        assert "--thaw DAYS" in result.err
    result = run(server, "restore", tmp_path / "data", "--thaw", "1", "--json")
    assert result.code == 0, result.err
    check_restored(backup, tmp_path / "data")
    assert [r.key for r in server.requests if r.kind == "restore"] == [backup.meta_key, key]
    assert result.json["thawed_objects"] == 2


def test_archived_manifest_in_a_list(backup, server):
    archive(backup, "meta", "GLACIER")
    result = penates("list", *source_args(server), "--json")
    assert result.code == 0, result.err
    (point,) = result.json["restore_points"]
    assert not point["complete"]
    assert "InvalidObjectState" in point["why"]


def test_under_way_already(backup, server, tmp_path):
    """By another node, or an earlier run: between the look and the request, too."""
    _, thing = archive(backup, DATA, "GLACIER")
    thing.copy = (time.time() + 1, time.time() + 86400)
    other, _ = archive(backup, INDEX, "GLACIER")

    def somebody_else(fake, request):
        fake.store.objects[other].copy = (time.time() + 0.2, time.time() + 86400)

    server.faults.append(Fault(kind="restore", act=somebody_else))
    result = run(server, "restore", tmp_path / "data", "--thaw", "1")
    assert result.code == 0, result.err
    assert "1 of them is on the way back already" in result.err
    assert server.counts_by_key("restore") == {other: 1}
    check_restored(backup, tmp_path / "data")


def test_interrupted_wait(backup, server, tmp_path):
    key, _ = archive(backup, DATA, "GLACIER")
    server.thaw_seconds = 3
    target = tmp_path / "data"
    process = start(*command(server, "restore", target, "--thaw", "1"))
    deadline = time.monotonic() + 20
    while server.count("restore") == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.code == 75, result.err
    assert not target.exists()
    result = run(server, "restore", target, "--thaw", "1")
    assert result.code == 0, result.err
    assert server.counts_by_key("restore") == {key: 1}
    check_restored(backup, target)


def test_failed_retrieval_is_asked_for_anew(backup, server, tmp_path):
    key, thing = archive(backup, DATA, "GLACIER")

    def lose(fake, request):
        thing.copy = None

    server.faults.append(Fault(kind="head", after=1, times=1, act=lose))
    result = run(server, "restore", tmp_path / "data", "--thaw", "1")
    assert result.code == 0, result.err
    assert server.counts_by_key("restore") == {key: 2}


def test_no_room_for_expedited(backup, server, tmp_path):
    archive(backup, DATA, "GLACIER")
    server.faults.append(Fault(kind="restore", times=None, status=503,
                               code="GlacierExpeditedRetrievalNotAvailable", message="no"))
    result = run(server, "restore", tmp_path / "data", "--thaw", "1", "--thaw-tier", "expedited")
    assert result.code != 0
    assert "GlacierExpeditedRetrievalNotAvailable" in result.error
    assert "--thaw-tier standard" in result.err
    assert server.count("restore") == 1
    assert not (tmp_path / "data").exists()


def test_expedited_of_deep_archive(backup, server, tmp_path):
    """Nothing is asked for: half a thaw would cost money."""
    archive(backup, DATA, "DEEP_ARCHIVE")
    archive(backup, INDEX, "GLACIER")
    result = run(server, "restore", tmp_path / "data", "--thaw", "1", "--thaw-tier", "expedited")
    assert result.code == 64, result.err
    assert "DEEP_ARCHIVE" in result.error
    assert server.count("restore") == 0


def test_denied(backup, server, tmp_path):
    archive(backup, DATA, "GLACIER")
    server.faults.append(Fault(kind="restore", times=None, status=403, code="AccessDenied",
                               message="Access Denied"))
    result = run(server, "restore", tmp_path / "data", "--thaw", "1")
    assert result.code == 77, result.err
    assert "s3:RestoreObject" in result.err
    assert not (tmp_path / "data").exists()


def test_copy_about_to_expire_is_prolonged(backup, server, tmp_path):
    key, thing = archive(backup, DATA, "GLACIER")
    thing.copy = (0, time.time() + 600)
    assert run(server, "restore", tmp_path / "data").code == 78
    result = run(server, "restore", tmp_path / "data", "--thaw", "2")
    assert result.code == 0, result.err
    assert server.counts_by_key("restore") == {key: 1}
    assert thing.copy[1] > time.time() + 86400


def test_copy_expires_during_the_restore(backup, server, tmp_path):
    """A rerun thaws what is not finished, and no more."""
    target = tmp_path / "data"
    keys = {name: archive(backup, name.rsplit("/")[-1], "GLACIER")[0] for name in backup.plain}
    things = [backup.store.objects[key] for key in keys.values()]
    for thing in things:
        thing.copy = (0, time.time() + 86400)

    def expire(fake, request):
        for thing in things:
            thing.copy = None

    server.faults.append(Fault(kind="get", key="nb-3-big-Data", act=expire))
    result = run(server, "restore", target, "--connections", "1")
    assert result.code != 0
    assert "InvalidObjectState" in result.error
    assert "--thaw DAYS" in result.err
    missing = {key for name, key in keys.items() if not (target / name).exists()}
    assert 0 < len(missing) < len(keys)
    into = ["--into", target]
    assert f"{len(missing)} object" in run(server, "restore", target).error
    result = penates("plan", *source_args(server), "--at", POINT, *into)
    assert result.code == 78 and f"{len(missing)} object" in result.error
    result = run(server, "restore", target, "--thaw", "1")
    assert result.code == 0, result.err
    assert server.counts_by_key("restore") == {key: 1 for key in missing}
    check_restored(backup, target)
    expire(None, None)
    assert run(server, "restore", target).code == 0  # it is there already
    assert penates("plan", *source_args(server), "--at", POINT, *into).code == 0


def test_sample_thaws_no_more(backup, server):
    for name in (DATA, "nb-2-big-Data.db", "nb-3-big-Data.db"):
        archive(backup, name, "GLACIER")
    result = run(server, "verify", "--sample", "34%", "--seed", "1", "--thaw", "1")
    assert result.code == 0, result.err
    assert 0 < server.count("restore") < 3


@pytest.mark.parametrize("args, words", [
    (["--thaw", "0"], "thaw"), (["--thaw", "366"], "thaw"), (["--thaw", "x"], "thaw"),
    (["--thaw", "1", "--thaw-tier", "fast"], "expedited")])
def test_bad_options(server, tmp_path, args, words):
    result = run(server, "restore", tmp_path / "data", *args)
    assert result.code == 64, result.err
    assert words in result.err
    assert server.requests == []


@pytest.mark.parametrize("fixture, cluster", [("priam-v1", "fix_v1"), ("priam-v2", "fix_v2")])
def test_sample_backup(tmp_path, fixture, cluster):
    """Hundreds of objects, of which each is asked for once, and looked at a few times."""
    store = tree_store(FIXTURES / fixture)
    for number, thing in enumerate(store.objects.values()):
        thing.storage_class = ("STANDARD", "GLACIER", "DEEP_ARCHIVE")[number % 3]
    with FakeS3(store) as server:
        server.thaw_seconds = 1.2
        result = penates("restore", *source_args(server), "--cluster", cluster, "--range",
                         points(FIXTURES / fixture)["p1"], "--into", tmp_path / "data", "--thaw",
                         "1", "--json")
        assert result.code == 0, result.err
        wanted = expected_tree(FIXTURES / fixture, "p1")
        left_out = {name for name in wanted if name.startswith("system/IndexInfo-")}
        got = sha256_tree(tmp_path / "data")
        assert {name: d for name, d in wanted.items() if name not in left_out} == {
            name: d for name, d in got.items() if name not in left_out}
        thawed = server.counts_by_key("restore")
        assert len(thawed) == result.json["thawed_objects"] > 100
        assert set(thawed.values()) == {1}
        # A look at the beginning and one at the end, and 64 at most in between.
        assert server.count("head") <= 2 * len(thawed) + 3 * 64


def test_real_server(backup, tmp_path):
    """All of it is in GLACIER of MiniStack, where each object comes back after two seconds."""
    with MiniStack(tmp_path) as server:
        server.fill(backup.store, StorageClass="GLACIER")
        args = ["restore", *source_args(server), "--into", tmp_path / "data"]
        env = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
        result = penates(*args, env=env)
        assert result.code == 78, result.err
        assert "manifest" in result.error and "GLACIER" in result.error
        assert not (tmp_path / "data").exists()
        result = penates(*args, "--thaw", "1", "--json", env=env)
        assert result.code == 0, result.err
        check_restored(backup, tmp_path / "data")
        assert result.json["thawed_objects"] == len(backup.store.objects)
        assert result.json["thaw_seconds"] >= 4  # the manifest, then the rest
        result = penates("verify", *source_args(server), env=env)
        assert result.code == 0, result.err  # copies that are there need no --thaw
