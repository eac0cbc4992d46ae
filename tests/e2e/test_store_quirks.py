"""Stores that are not AWS: each habit that was seen in one of them, on the backups that Priam wrote."""

import pytest
from conftest import penates, source_args
from fake_s3.store import folder_order
from test_sample_backups import check_tree


def restore(server, tmp_path):
    server.page_size = 7  # so that every listing has pages
    result = penates("restore", *source_args(server), "--into", tmp_path / "data")
    assert result.code == 0, result.err
    check_tree(tmp_path / "data", server.fixture, "p3")
    assert server.count("list") > 1


@pytest.mark.parametrize("quirk", [
    "encoded slashes", "encoding told last", "raw keys", "empty last page", "no ETag",
    "no storage class",
])
def test_habit(backup_s3, tmp_path, quirk):
    backup_s3.quirks.add(quirk)
    restore(backup_s3, tmp_path)


def test_folder_by_folder(backup_s3, tmp_path):
    backup_s3.store.order = folder_order
    restore(backup_s3, tmp_path)
