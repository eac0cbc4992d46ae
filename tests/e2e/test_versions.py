"""--source-version-at: a versioned bucket as it was, after Priam's TTL has deleted the backup."""

import time

import pytest
from conftest import DATA, penates, points, source_args
from fake_s3 import FakeS3, Fault, tree_store
from fake_s3.store import folder_order
from real_servers import ALL
from small_backup import standard
from test_sample_backups import check_tree

UPLOADED, DELETED = "2026-11-20T08:00:00.000Z", "2026-11-22T08:00:00.000Z"
BEFORE, BETWEEN, AFTER = "2026-11-19T08:00:00Z", "2026-11-21T08:00:00Z", "2026-11-23T08:00:00Z"


def delete_all(store):
    """As DeleteObjects does in a versioned bucket: a marker on every key."""
    for key in list(store.objects):
        store.delete(key, modified=DELETED)


def versioned(store):
    """The same objects in a bucket that keeps what is deleted, and deleted."""
    store.versioned = True
    for key, thing in list(store.objects.items()):
        store.history[key].clear()
        store.put(key, thing.body, etag=thing.etag, metadata=thing.metadata, modified=UPLOADED)
    delete_all(store)
    return store


@pytest.fixture(params=["priam-v1", "priam-v2"])
def deleted(request):
    with FakeS3(versioned(tree_store(DATA / request.param))) as server:
        server.fixture = DATA / request.param
        server.page_size = 7
        yield server


def restored(server, tmp_path, *args):
    result = penates("restore", *source_args(server), "--source-version-at", BETWEEN,
                     "--into", tmp_path / "data", *args)
    assert result.code == 0, result.err
    return result


@pytest.mark.parametrize("quirk", [None, "markers apart", "raw key marker", "raw keys"])
def test_what_was_deleted_comes_back(deleted, tmp_path, quirk):
    deleted.quirks.add(quirk)
    restored(deleted, tmp_path)
    check_tree(tmp_path / "data", deleted.fixture, "p3")
    assert deleted.count("list") == 0 and deleted.count("versions") > 1
    assert all("versionId" in r.query for r in deleted.requests if r.kind in ("get", "head"))


def test_folder_by_folder(deleted, tmp_path):
    deleted.store.order = folder_order
    restored(deleted, tmp_path)
    check_tree(tmp_path / "data", deleted.fixture, "p3")


@pytest.mark.parametrize("point", ["p1", "p3"])
def test_range_in_it(deleted, tmp_path, point):
    restored(deleted, tmp_path, "--range", points(deleted.fixture)[point])
    check_tree(tmp_path / "data", deleted.fixture, point)


@pytest.fixture
def small(s3):
    backup = standard()
    s3.store, s3.backup = versioned(backup.store), backup
    return s3


@pytest.mark.parametrize("at", [BEFORE, AFTER])
def test_nothing_was_there(small, at):
    result = penates("plan", *source_args(small), "--source-version-at", at)
    assert result.code == 66, result.err
    assert f"as it was at {at} has no snapshot" in result.error
    result = penates("list", *source_args(small), "--source-version-at", at, "--json")
    assert result.code == 0 and result.json["restore_points"] == []


def test_what_was_overwritten(small, tmp_path):
    """Everything was uploaded again, as something else: the older version is read."""
    for key, things in list(small.store.history.items()):
        small.store.put(key, b"something else" * 100, modified=AFTER)
    restored(small, tmp_path)
    for name, plain in small.backup.plain.items():
        assert (tmp_path / "data" / name).read_bytes() == plain
    result = penates("verify", *source_args(small))
    assert result.code not in (0, 66), result.err


def test_other_commands(small):
    for command in ("list", "verify"):
        result = penates(command, *source_args(small), "--source-version-at", BETWEEN, "--json")
        assert result.code == 0, result.err
    result = penates("plan", *source_args(small), "--source-version-at", BETWEEN, "--json")
    assert result.json["selection"]["source-version-at"] == BETWEEN
    newest = {key: things[1].version_id for key, things in small.store.history.items()}
    assert {f["key"]: f["version_id"] for f in result.json["files"]}.items() <= newest.items()
    assert result.json["nodes"][0]["manifest_version_id"] == newest[small.backup.meta_key]


def test_saved_plan(small, tmp_path):
    """It holds the time, and is refused when another version has come before it."""
    plan = tmp_path / "plan.json"
    result = penates("plan", *source_args(small), "--source-version-at", BETWEEN, "--out", plan)
    assert result.code == 0, result.err
    result = penates("restore", "--plan", plan, *source_args(small)[1:], "--into", tmp_path / "a")
    assert result.code == 0, result.err
    key = small.backup.key("nb-1-big-Data.db")
    first = small.store.history[key].pop()
    small.store.history[key].append(type(first)(first.body, first.etag, modified=UPLOADED,
                                                version_id="another"))
    result = penates("restore", "--plan", plan, *source_args(small)[1:], "--into", tmp_path / "b")
    assert result.code == 78 and "no longer matches" in result.error, result.err


def test_rerun(small, tmp_path):
    restored(small, tmp_path)
    small.requests.clear()
    restored(small, tmp_path)
    assert not small.requests
    result = penates("restore", *source_args(small), "--source-version-at", "2026-11-21T09:00:00Z",
                     "--into", tmp_path / "data")
    assert result.code != 0 and "another restore" in result.error, result.err


def test_bucket_without_versions(s3, tmp_path):
    """What is there is read; what was overwritten since is missing, and named."""
    backup = standard()
    for thing in backup.store.objects.values():
        thing.modified = UPLOADED
    s3.store = backup.store
    restored(s3, tmp_path)
    key = backup.key("nb-2-big-Data.db")
    backup.store.put(key, backup.store.objects[key].body, modified=DELETED)
    result = penates("plan", *source_args(s3), "--source-version-at", BETWEEN)
    assert result.code == 66 and "nb-2-big-Data.db" in result.err, result.err


def test_denied(small):
    """The words name the actions that reading versions takes."""
    small.faults.append(Fault(kind="versions", status=403, code="AccessDenied"))
    result = penates("plan", *source_args(small), "--source-version-at", BETWEEN)
    assert result.code == 77 and "s3:ListBucketVersions" in result.error, result.err
    small.faults[:] = [Fault(kind="get", status=403, code="AccessDenied")]
    result = penates("plan", *source_args(small), "--source-version-at", BETWEEN)
    assert result.code == 77 and "s3:GetObjectVersion" in result.error, result.err


def test_no_versions_in_a_directory(tmp_path):
    for source in (tmp_path, f"file://{tmp_path}"):
        result = penates("plan", source, "--source-version-at", BETWEEN)
        assert result.code == 64 and "no versions" in result.error, result.err


@pytest.mark.parametrize("name", ["ministack", "swift"])  # S3Proxy keeps no versions
def test_on_a_real_server(tmp_path, name):
    """Uploaded, and deleted as Priam's TTL does it: with DeleteObjects."""
    with ALL[name](tmp_path) as server:
        client = server.client()
        client.put_bucket_versioning(Bucket=server.bucket,
                                     VersioningConfiguration={"Status": "Enabled"})
        backup = standard()
        server.fill(backup.store)
        time.sleep(1.1)  # times have whole seconds
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        time.sleep(1.1)
        client.delete_objects(Bucket=server.bucket, Delete={
            "Objects": [{"Key": key} for key in backup.store.objects]})
        source = [f"s3://{server.bucket}/backup", "--endpoint", server.endpoint, "--path-style"]
        env = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
        assert penates("plan", *source, env=env).code == 66
        # MiniStack answers a range of a version with all of it: what asks for none is shown there.
        command = ["verify"] if name == "ministack" else ["restore", "--into", tmp_path / "data"]
        result = penates(*command, *source, "--source-version-at", now, "--json", env=env)
        assert result.code == 0, result.err
        assert result.json["files"] == len(backup.plain)
    for path, plain in backup.plain.items() if command[0] == "restore" else ():
        assert (tmp_path / "data" / path).read_bytes() == plain


def test_archived_version_is_thawed(small, tmp_path):
    """What was deleted, and is in an archive: RestoreObject of that version."""
    key = small.backup.key("nb-1-big-Data.db")
    version = next(v for v in small.store.history[key] if not v.is_marker)
    version.storage_class = "GLACIER"
    restored(small, tmp_path, "--thaw", "1")
    (asked,) = [r for r in small.requests if r.kind == "restore"]
    assert asked.key == key and asked.query["versionId"] == version.version_id
