"""Interrupted at any moment, a rerun of the same command goes on, fetches nothing again that was
finished, and ends with identical bytes."""

import os
import random
import shutil
import signal
import time

import pytest
from conftest import finish, penates, sha256_tree, source_args, start
from fake_s3 import FakeS3, Fault
from small_backup import SmallBackup

SEED = int(os.environ.get("PENATES_TEST_SEED", "20261123"))
KILLS = int(os.environ.get("PENATES_TEST_KILLS", "50"))


def many_sstables(count=60):
    backup = SmallBackup()
    for generation in range(1, count + 1):
        backup.add_sstable(generation, random.Random(generation).randbytes(150_000))
    backup.seal()
    return backup


def journaled(target):
    """Files that an earlier run finished: in place, and in the journal."""
    journal = target / ".penates" / "journal"
    text = journal.read_bytes().decode(errors="replace") if journal.exists() else ""
    return {name for name in sha256_tree(target) if name in text}


def check_whole_files(target, backup):
    for name in sha256_tree(target) if target.exists() else {}:
        assert (target / name).read_bytes() == backup.plain[name], name


def fetched_again(server, before):
    """Files of an earlier run that were asked for once more. The preflight proves access with one
    object, which may be one of them."""
    names = {name.rsplit("/", 1)[1] for name in before}
    return {key for key in server.counts_by_key() if key.rsplit("/", 1)[1] in names}


def test_kill_9_at_random_moments(tmp_path):
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    backup = many_sstables()
    target = tmp_path / "data"
    with FakeS3(backup.store, latency=0.01) as server:
        args = ["restore", *source_args(server), "--into", target, "--connections", "8"]
        began = time.monotonic()
        assert penates(*args).code == 0
        whole = time.monotonic() - began
        shutil.rmtree(target)
        killed = resumed = 0
        while killed < KILLS:
            before = journaled(target)
            server.requests.clear()
            process = start(*args)
            time.sleep(chance.uniform(0.0, whole))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            check_whole_files(target, backup)
            assert len(fetched_again(server, before)) <= 1
            killed += process.returncode == -signal.SIGKILL
            resumed += bool(before) and process.returncode == -signal.SIGKILL
            if process.returncode == 0:
                assert set(sha256_tree(target)) == set(backup.plain)
                shutil.rmtree(target)
        print(f"{killed} kills, {resumed} of them on a restore already resumed")
        assert resumed > 0
        result = penates(*args)
        assert result.code == 0, result.err
        check_whole_files(target, backup)
        assert set(sha256_tree(target)) == set(backup.plain)
        assert list((target / ".penates").glob("tmp/*")) == []
        assert (target / ".penates" / "restored").exists()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_signal_leaves_a_resumable_state(tmp_path, sign):
    backup = many_sstables(40)
    with FakeS3(backup.store) as server:
        target = tmp_path / "data"
        args = ["restore", *source_args(server), "--into", target, "--connections", "4"]
        server.faults.append(Fault(key="nb-20-big-Data.db", stall_at=1000, stall_s=60))
        process = start(*args)
        deadline = time.monotonic() + 30
        while not journaled(target) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(sign)
        result = finish(process, 30)
        assert result.code == 75, result.err
        assert "run the same command again" in result.error
        check_whole_files(target, backup)
        done = journaled(target)
        assert done
        status = penates("status", target)
        assert status.code == 0
        assert status.out.splitlines()[0] == f"{target}: interrupted"

        server.faults.clear()
        plan = penates("plan", *source_args(server), "--into", target)
        assert plan.code == 0, plan.err
        assert f"has finished {len(done)} of these files" in plan.err
        server.requests.clear()
        result = penates(*args)
        assert result.code == 0, result.err
        assert set(sha256_tree(target)) == set(backup.plain)
        check_whole_files(target, backup)
        fetched = {key.rsplit("/", 1)[1] for key in server.counts_by_key()}
        assert len(fetched & {name.rsplit("/", 1)[1] for name in done}) <= 1
        assert "done" in penates("status", target).out


@pytest.mark.parametrize("command", ["restore", "verify", "plan", "list"])
def test_signal_while_looking_leaves_nothing(tmp_path, command):
    backup = many_sstables(3)
    with FakeS3(backup.store) as server:
        target = tmp_path / "data"
        server.faults.append(Fault(kind="list", status=503, code="SlowDown", times=None))
        into = ["--into", target] if command in ("restore", "plan") else []
        process = start(command, *source_args(server), *into)
        deadline = time.monotonic() + 20
        while not server.requests and time.monotonic() < deadline:
            time.sleep(0.02)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        result = finish(process, 20)
        assert result.code == 75, result.err
        assert time.monotonic() - began < 3
        assert "interrupted" in result.error
        assert list(tmp_path.iterdir()) == []


def test_second_sigint_ends_at_once(tmp_path):
    backup = many_sstables(3)
    with FakeS3(backup.store) as server:
        target = tmp_path / "data"
        server.faults.append(Fault(kind="get", stall_at=10, stall_s=60, times=None))
        process = start("restore", *source_args(server), "--into", target)
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        process.communicate(timeout=10)
        assert process.returncode == 75
        assert time.monotonic() - began < 5


def test_latest_does_not_move_under_a_rerun(tmp_path):
    """The source goes on backing up; the rerun ends what was begun."""
    from small_backup import NODE, SECOND, snappy

    backup = many_sstables(20)
    with FakeS3(backup.store) as server:
        target = tmp_path / "data"
        args = ["restore", *source_args(server), "--into", target, "--connections", "2",
                "--retry-for", "1s"]
        fault = Fault(key="nb-7-big-Data.db", status=500, times=None)
        server.faults.append(fault)
        assert penates(*args).code == 69
        server.faults.clear()
        later = SECOND + 3_600_000
        backup.store.put(f"{NODE}/META_V2/{later}/SNAPPY/PLAINTEXT/meta_v2_202311142313.json",
                         snappy(b'{"info":{"version":1},"data":[]}'))
        result = penates(*args)
        assert result.code == 0, result.err
        assert set(sha256_tree(target)) == set(backup.plain)
