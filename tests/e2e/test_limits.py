"""Bounded memory whatever the size or number of objects; full and read-only disks."""

import json
import os
import pathlib
import resource
import subprocess
import sys
import zlib

import pytest
from conftest import (BINARY, ROOT, SANITIZED, environment, finish, penates, sha256_tree,
                      source_args)
from fake_s3 import FakeS3
from small_backup import NODE, SECOND, TABLE, SmallBackup, snappy, standard


def peak_rss(folder, *args):
    """(result, peak resident bytes)."""
    cost = folder / "cost.json"
    process = subprocess.Popen(
        [sys.executable, ROOT / "tests" / "measure.py", cost, BINARY, *map(str, args)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment())
    result = finish(process)
    return result, json.loads(cost.read_text())["rss_bytes"]


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's shadow memory is not ours")
def test_4_gib_object_within_64_mib(tmp_path):
    backup = SmallBackup()
    huge = backup.add_huge((4 << 30) // 32768)
    backup.seal()
    with FakeS3(backup.store) as server:
        result, rss = peak_rss(tmp_path, "verify", *source_args(server), "--memory", "64M", "--json")
        assert result.code == 0, result.err
        assert rss < 128 << 20, rss
        assert result.json["plain_bytes"] >= huge.plain_size
        ranges = server.counts_by_key()[backup.key("nb-99-big-Data.db")]
        assert ranges >= huge.size // (8 << 20)
        print(f"4 GiB object, --memory 64M: peak {rss >> 20} MiB resident, {ranges} ranges")


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's shadow memory is not ours")
def test_250000_components(tmp_path):
    """The manifest is parsed without a tree, the plan is charged to --memory."""
    backup = SmallBackup()
    names = ("Data.db", "Digest.crc32", "Filter.db", "TOC.txt", "Index.db", "Summary.db",
             "Statistics.db", "CompressionInfo.db")
    body = snappy(b"x" * 10)
    for generation in range(250_000 // len(names)):
        for name in names:
            file = f"nb-{generation}-big-{name}"
            key = backup.key(file, ms=SECOND - generation // 100 * 1000)
            backup.components.append((key, file, 10, TABLE))
            backup.store.objects[key] = None
    from fake_s3.store import Bytes, Object

    shared = Object(Bytes(body), "0" * 32)
    backup.store.objects = {key: shared for key in backup.store.objects}
    backup.seal()
    with FakeS3(backup.store) as server:
        result, rss = peak_rss(tmp_path, "plan", *source_args(server), "--memory", "64M",
                               "--out", "/dev/null")
        assert result.code == 0, result.err
        assert rss < (64 + 32) << 20, rss
        print(f"250,000 components: peak {rss >> 20} MiB resident")


def test_a_long_listing_is_cut(tmp_path):
    """The manifest tells the times, so the chain of pages is walked from several places at once."""
    backup = SmallBackup()
    body = snappy(b"x" * 10)
    for generation in range(2500):
        for name in ("Data.db", "Filter.db", "Index.db", "TOC.txt"):
            key = backup.key(f"nb-{generation}-big-{name}", ms=SECOND - generation // 3 * 1000)
            backup.components.append((key, f"nb-{generation}-big-{name}", 10, TABLE))
            backup.store.put(key, body)
    backup.seal()
    with FakeS3(backup.store, latency=0.05) as server:
        result = penates("plan", *source_args(server), "--json")
        assert result.code == 0, result.err
        listed = server.count("list")
        assert server.peak >= 4, "the listing was one chain of pages"
    wanted = sorted(key for key, *_ in backup.components)
    assert sorted(file["key"] for file in result.json["files"]) == wanted
    # Ten pages of files; each of the five pieces may end in a page that belongs to the next. Eight
    # find the node, its restore points and its indexes.
    assert listed <= 10 + 5 + 8, f"{listed} requests"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_full_disk_is_seen_before_anything_is_written(tmp_path):
    backup = SmallBackup()
    backup.add_sstable(1, os.urandom(24 << 20))
    backup.seal()
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16M", "tmpfs", small], check=True)
    try:
        with FakeS3(backup.store) as server:
            result = penates("restore", *source_args(server), "--into", small / "data")
            assert result.code == 73, result.err
            assert "free" in result.error
            assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_disk_that_fills_up_on_the_way(tmp_path):
    """Others write too: the room that the preflight saw is gone. After making room a rerun ends."""
    backup = SmallBackup()
    for generation in range(1, 9):
        backup.add_sstable(generation, os.urandom(2 << 20))
    backup.seal()
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32M", "tmpfs", small], check=True)
    try:
        from fake_s3 import Fault

        def hog(_server, _request):
            with open(small / "hog", "wb") as file:
                file.write(bytes(20 << 20))

        with FakeS3(backup.store) as server:
            server.faults.append(Fault(key="nb-3-big-Data.db", act=hog))
            args = ["restore", *source_args(server), "--into", small / "data"]
            result = penates(*args)
            assert result.code in (73, 74), result.err
            assert "No space left" in result.error
            for name in sha256_tree(small / "data"):
                assert (small / "data" / name).read_bytes() == backup.plain[name]
            (small / "hog").unlink()
            result = penates(*args)
            assert result.code == 0, result.err
            assert set(sha256_tree(small / "data")) == set(backup.plain)
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_read_only_target(tmp_path):
    backup = standard()
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M,ro", "tmpfs", disk], check=True)
    try:
        with FakeS3(backup.store) as server:
            result = penates("restore", *source_args(server), "--into", disk / "data")
            assert result.code == 73, result.err
            assert "Read-only" in result.error
    finally:
        subprocess.run(["umount", disk], check=True)


def test_file_size_limit(tmp_path):
    """RLIMIT_FSIZE makes any write fail with EFBIG: one clear line, no partial file."""
    backup = SmallBackup()
    backup.add_sstable(1, os.urandom(3 << 20))
    backup.seal()
    with FakeS3(backup.store) as server:
        process = subprocess.Popen(
            [BINARY, "restore", *source_args(server), "--into", str(tmp_path / "data")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment(),
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)))
        result = finish(process)
        assert result.code in (73, 74), result.err
        assert "Data.db" in result.error
        assert not (pathlib.Path(tmp_path) / "data" / "ks" / TABLE / "nb-1-big-Data.db").exists()


def test_zero_byte_object_takes_no_range(tmp_path):
    """Cassandra 5 writes empty Rows.db files; with NONE they are objects of 0 bytes."""
    backup = SmallBackup()
    prefix = "da-1-bti-"
    backup.add(prefix + "Data.db", b"data" * 100)
    backup.add(prefix + "Digest.crc32", str(zlib.crc32(b"data" * 100)).encode())
    backup.add(prefix + "Partitions.db", b"trie")
    backup.add(prefix + "TOC.txt", b"Data.db\nDigest.crc32\nPartitions.db\nRows.db\nTOC.txt\n")
    key = f"{NODE}/SST_V2/{SECOND}/ks/{TABLE}/NONE/PLAINTEXT/{prefix}Rows.db"
    backup.store.put(key, b"")
    backup.components.append((key, prefix + "Rows.db", 0, TABLE))
    backup.seal()
    with FakeS3(backup.store) as server:
        result = penates("restore", *source_args(server), "--into", tmp_path / "data")
        assert result.code == 0, result.err
        assert (tmp_path / "data" / "ks" / TABLE / (prefix + "Rows.db")).read_bytes() == b""
        assert server.counts_by_key()[key] == 0
