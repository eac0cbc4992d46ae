"""--source-version-at: a versioned bucket as it was, after Priam's TTL has deleted the backup."""

import json

import pytest
from conftest import DATA, points, penates, source_args
from fake_s3 import FakeS3, tree_store
from fake_s3.store import folder_order
from small_backup import SmallBackup, standard
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


@pytest.mark.parametrize("quirk", [None, "markers apart", "raw key marker", "raw keys"])
def test_what_was_deleted_comes_back(deleted, tmp_path, quirk):
    deleted.quirks.add(quirk)
    result = penates("restore", *source_args(deleted), "--source-version-at", BETWEEN,
                     "--into", tmp_path / "data")
    assert result.code == 0, result.err
    check_tree(tmp_path / "data", deleted.fixture, "p3")
    assert deleted.count("list") == 0 and deleted.count("versions") > 1
    assert all("versionId" in r.query for r in deleted.requests if r.kind in ("get", "head"))
