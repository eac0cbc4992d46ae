"""Backups that Priam's own code wrote come back byte for byte, from S3 and from a directory."""

import json

import pytest
from conftest import expected_tree, penates, points, sha256_tree, source_args

# Deliberate differences from Priam's own restore: it restores IndexInfo although index files are
# missing, so that Cassandra believes in indexes that are not there; and it forgets the index
# SSTables among the incrementals of v2.
NOT_OURS = "system/IndexInfo-"


def check_tree(target, fixture, point):
    got, wanted = sha256_tree(target), expected_tree(fixture, point)
    for name, digest in wanted.items():
        if name.startswith(NOT_OURS) and name not in got:
            continue
        assert got.get(name) == digest, name
    extra = set(got) - set(wanted)
    assert all("/.users_email_idx/" in name for name in extra), sorted(extra)
    if fixture.name == "priam-v1":
        assert not extra
        assert not any(name.startswith(NOT_OURS) for name in got)


@pytest.mark.parametrize("point", ["p1", "p2", "p3"])
def test_range_from_s3(backup_s3, tmp_path, point):
    fixture = backup_s3.fixture
    result = penates("restore", *source_args(backup_s3), "--range", points(fixture)[point],
                     "--into", tmp_path / "data", "--json")
    assert result.code == 0, result.err
    check_tree(tmp_path / "data", fixture, point)
    summary = result.json
    assert len(result.out) <= 2000
    assert result.out.count("\n") == 1
    assert summary["files"] == len(sha256_tree(tmp_path / "data"))
    # One GET an object, no HEAD: everything here is smaller than a part.
    gets = backup_s3.counts_by_key("get")
    assert backup_s3.count("head") == 0
    repeated = {key: n for key, n in gets.items() if n > 1 and "META" not in key}
    assert len(repeated) <= 1, repeated  # the preflight reads one object to prove access


@pytest.mark.parametrize("point", ["p1", "p2", "p3"])
def test_range_from_directory(backup, tmp_path, point):
    result = penates("restore", backup / "bucket" / "backup", "--range", points(backup)[point],
                     "--into", tmp_path / "data")
    assert result.code == 0, result.err
    check_tree(tmp_path / "data", backup, point)


def test_latest_is_the_last_point(backup_s3, tmp_path):
    result = penates("restore", *source_args(backup_s3), "--into", tmp_path / "data")
    assert result.code == 0, result.err
    check_tree(tmp_path / "data", backup_s3.fixture, "p3")


def test_report_names_checks_for_every_file(backup_s3, tmp_path):
    report = tmp_path / "report.json"
    result = penates("restore", *source_args(backup_s3), "--into", tmp_path / "data",
                     "--report", report)
    assert result.code == 0, result.err
    files = json.loads(report.read_text())["files"]
    got = sha256_tree(tmp_path / "data")
    assert {file["path"] for file in files} == set(got)
    assert all(file["checks"] for file in files)


def test_second_run_says_so(backup_s3, tmp_path):
    args = ["restore", *source_args(backup_s3), "--into", tmp_path / "data"]
    assert penates(*args).code == 0
    seen = len(backup_s3.requests)
    again = penates(*args)
    assert again.code == 0
    assert "already restored" in again.err
    told = penates(*args, "--json").json
    assert told["result"] == "already-restored"
    assert told["files"] == told["files_wanted"] == told["files_earlier"] > 0
    assert told["plain_bytes"] > 0
    assert told["fetched_bytes"] == 0
    assert len(backup_s3.requests) == seen
    status = penates("status", tmp_path / "data", "--json").json
    assert status["until"] in again.err, "latest of then: say which state that is"
    assert status["plain_bytes"] == status["plain_done"] == told["plain_bytes"]
    assert status["seconds_left"] is None


def test_verify_writes_nothing(backup_s3, tmp_path):
    result = penates("verify", *source_args(backup_s3), cwd=tmp_path)
    assert result.code == 0, result.err
    assert list(tmp_path.iterdir()) == []


def test_one_table(backup_s3, tmp_path):
    result = penates("restore", *source_args(backup_s3), "--include", "shop.orders",
                     "--into", tmp_path / "data")
    assert result.code == 0, result.err
    got = sha256_tree(tmp_path / "data")
    wanted = expected_tree(backup_s3.fixture, "p3")
    assert got == {name: d for name, d in wanted.items() if name.startswith("shop/orders-")}


def test_loader_layout(backup_s3, tmp_path):
    result = penates("restore", *source_args(backup_s3), "--layout", "loader",
                     "--into", tmp_path / "load")
    assert result.code == 0, result.err
    got = sha256_tree(tmp_path / "load")
    assert got
    assert all(name.count("/") == 2 and name.startswith("shop/") for name in got), sorted(got)[:5]
    wanted = {name.split("/")[-1]: d for name, d in expected_tree(backup_s3.fixture, "p3").items()
              if name.startswith("shop/orders-")}
    for name, digest in got.items():
        if name.startswith("shop/orders/"):
            assert wanted[name.split("/")[-1]] == digest
