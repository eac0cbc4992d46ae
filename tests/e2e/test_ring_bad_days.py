"""What goes wrong around a ring that is being restored: its state bucket, its plan, its volumes, its
name, its stack."""

import functools
import json
import math
import os
import shutil
import signal
import time

import pytest
import small_backup
from conftest import finish, penates, sha256_tree, start
from fake_s3 import FakeS3, Fault
from small_backup import TOKEN, standard
from test_ring import RACKS, STATE, TOKENS, nodes, options, plan_of, restore, status

CLOSED = ("--endpoint", "http://127.0.0.1:1", "--path-style", "--retry-for", "0s")
YAML = "cluster_name: {}\nnum_tokens: 256\n# initial_token:\nseed_provider: []\n"


@pytest.fixture
def ring():
    with FakeS3(nodes().store) as server:
        yield server


@pytest.fixture
def node(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path


def boot(server, where, node, *args, slot=0):
    """As the unit does it: with a stamp on the root volume."""
    return restore(server, where, slot, node / "data", "--history", node / "root", *args)


def whole(node):
    """Both volumes, but for what locks."""
    return {name: digest for name, digest in sha256_tree(node).items() if name[-5:] != "/lock"}


def key_of(where):
    return where.removeprefix("s3://backups/")


# The state bucket


def test_a_plan_that_cannot_be_read(ring, node):
    where, _ = plan_of(ring)
    ring.faults.append(Fault(key="/plans/", kind="any", times=None, status=503))
    result = boot(ring, where, node, "--retry-for", "1s")
    assert result.code == 69, result.err
    assert not (node / "data").exists() and not any((node / "root").iterdir())
    closed = penates("restore", "--ring", where, "--slot", 0, "--into", node / "data", *CLOSED)
    assert closed.code == 69, closed.err


def test_a_plan_that_is_not_there(ring, node):
    where, _ = plan_of(ring)
    ring.store.delete(key_of(where))
    result = boot(ring, where, node)
    assert result.code == 66, result.err
    assert not (node / "data").exists()


@pytest.mark.parametrize("fault", [{"status": 503}, {"close_first": True}])
def test_reports_that_reach_nobody(ring, node, fault):
    """For as long as the restore goes on: it does not wait for them, and says so once."""
    where, _ = plan_of(ring)
    ring.faults.append(Fault(kind="put", times=None, **fault))
    result = boot(ring, where, node)
    assert result.code == 0, result.err
    assert result.err.count("does not learn of this node") == 1
    assert status(ring, where)["nodes"][0]["state"] == "none"


@pytest.mark.parametrize("gone", ["plan", "store"])
def test_later_boots_do_not_need_the_state_bucket(ring, node, gone):
    """What was restored stays so, whatever becomes of the plan, the bucket, the network."""
    where, plan = plan_of(ring)
    assert boot(ring, where, node).code == 0
    assert json.loads((node / "root" / f"ring-{plan['id']}.json").read_text()) == plan
    before = whole(node)
    if gone == "plan":
        ring.store.delete(key_of(where))
        again = boot(ring, where, node)
    else:
        again = penates("restore", "--ring", where, "--slot", 0, "--into", node / "data",
                        "--history", node / "root", *CLOSED)
    assert again.code == 0, again.err
    assert whole(node) == before


def test_a_copy_of_the_plan_that_was_changed_is_no_plan(ring, node):
    where, plan = plan_of(ring)
    assert boot(ring, where, node).code == 0
    copy = node / "root" / f"ring-{plan['id']}.json"
    text = copy.read_text()
    copy.write_text(text.replace(TOKENS[0], TOKENS[1]))
    assert boot(ring, where, node).code == 0  # from S3, and it is put right
    assert copy.read_text() == text
    copy.write_text("")
    ring.store.delete(key_of(where))
    assert boot(ring, where, node).code == 66


def test_a_copy_is_of_one_plan(ring, node):
    """Of the ring before, it says nothing about this one."""
    first, _ = plan_of(ring)
    assert boot(ring, first, node).code == 0
    second, _ = plan_of(ring, "--slot-ip", "0=10.0.0.10")
    result = boot(ring, second, node)
    assert result.code == 78, result.err
    assert "holds another restore, finished" in result.error


# The plan


def test_one_byte_of_the_plan(ring, node):
    where, _ = plan_of(ring)
    data = bytearray(ring.store.objects[key_of(where)].body.data)
    at = data.index(TOKENS[1].encode())
    data[at] ^= 1
    ring.store.put(key_of(where), bytes(data))
    for slot in range(3):
        result = boot(ring, where, node, slot=slot)
        assert result.code == 78, result.err
        assert "has been changed since it was made" in result.error
    assert not (node / "data").exists()


def interrupt(ring, where, node, sign=signal.SIGTERM):
    """In the middle: some files are there, and one never comes."""
    stall = Fault(key="nb-2-big-Data.db", stall_at=100, times=None)
    ring.faults.append(stall)
    process = start("restore", "--ring", where, "--slot", 0, "--into", node / "data", "--history",
                    node / "root", *options(ring), start_new_session=True)
    deadline = time.monotonic() + 60
    while not stall.used or not (node / "data/.penates/journal").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(sign)
    result = finish(process)
    ring.faults.remove(stall)
    return process, result


def test_the_plan_of_that_name_becomes_another_in_the_middle(ring, node):
    where, _ = plan_of(ring)
    interrupt(ring, where, node)
    other, _ = plan_of(ring, "--slot-ip", "0=10.0.0.10")
    ring.store.put(key_of(where), ring.store.objects[key_of(other)].body.data)
    before = sha256_tree(node / "data")
    result = boot(ring, where, node)
    assert result.code == 78, result.err
    assert "is another plan" in result.error
    fresh = boot(ring, where, node / "fresh", slot=1)
    assert fresh.code == 78, fresh.err
    assert sha256_tree(node / "data") == before and not (node / "fresh").exists()


def test_a_plan_by_another_name_is_what_it_is(ring, node):
    where, plan = plan_of(ring)
    name = where.replace(plan["id"], "tonight")
    ring.store.put(key_of(name), ring.store.objects[key_of(where)].body.data)
    assert boot(ring, name, node).code == 0
    assert status(ring, name)["restored"] == 1
    assert [path.name for path in (node / "root").iterdir()] == ["history"]


def test_the_plan_of_another_cluster(ring, node):
    """Its source is told to be a backup that has no such node."""
    where, _ = plan_of(ring)
    backup = nodes(2)
    for key, thing in list(backup.store.objects.items()):
        backup.store.delete(key)
        backup.store.put(key.replace("backup/1049_fake-app", "other/-1_other"), thing.body.data)
    for key, thing in backup.store.objects.items():
        ring.store.put(key, thing.body.data)
    result = restore(ring, where, 0, node / "data", "s3://backups/other")
    assert result.code in (64, 66), result.err
    assert not (node / "data").exists()


def test_the_plan_of_another_backup(ring, node):
    """Of the same cluster, from another time: the same names with other content."""
    where, _ = plan_of(ring)
    for key, thing in nodes(make=lambda number: standard(2)).store.objects.items():
        ring.store.put(key.replace("backup/", "copy/", 1), thing.body.data)
    result = restore(ring, where, 0, node / "data", "s3://backups/copy")
    assert result.code == 78, result.err
    assert "is not what the ring's plan names" in result.error
    assert not (node / "data").exists()


# The nodes


def test_the_volume_of_another_node_of_this_ring(ring, node):
    """Same ring, same plan: the slot alone tells them apart."""
    where, _ = plan_of(ring)
    assert boot(ring, where, node, slot=1).code == 0
    shutil.rmtree(node / "root")
    (node / "root").mkdir()
    before = sha256_tree(node / "data")
    result = boot(ring, where, node, slot=0)
    assert result.code == 78, result.err
    assert "holds another restore, finished" in result.error
    assert sha256_tree(node / "data") == before and not any((node / "root").iterdir())
    assert status(ring, where)["nodes"][0]["state"] == "failed"


def test_the_store_of_a_node_is_lost_after_go_live(ring, node):
    where, _ = plan_of(ring)
    assert boot(ring, where, node).code == 0
    shutil.rmtree(node / "data")
    (node / "data").mkdir()
    result = boot(ring, where, node)
    assert result.code == 78, result.err
    assert "its data is gone" in result.error
    assert not any((node / "data").iterdir())
    told = status(ring, where)["nodes"][0]
    assert told["state"] == "failed" and "its data is gone" in told["error"]


def test_fewer_nodes_than_slots(ring, node):
    where, _ = plan_of(ring)
    for slot in (0, 2):
        assert restore(ring, where, slot, node / str(slot)).code == 0
    told = status(ring, where)
    assert (told["slots"], told["restored"]) == (3, 2)
    assert [row["state"] for row in told["nodes"]] == ["restored", "none", "restored"]
    table = penates("ring", "status", where, *options(ring)).out.splitlines()
    assert table[2].split() == ["1", RACKS[1], TOKENS[1], "none", "0%", "never", "-", "-", "-"]
    assert table[-1] == "2 of 3 nodes restored"


def test_one_node_more_than_slots(ring, node):
    where, _ = plan_of(ring)
    for slot in range(3):
        assert restore(ring, where, slot, node / str(slot)).code == 0
    fourth = restore(ring, where, 3, node / "3")
    assert fourth.code == 64, fourth.err
    assert "slot 3: the ring has slots 0 to 2" in fourth.error
    assert not (node / "3").exists() and status(ring, where)["restored"] == 3


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_the_stack_is_deleted_in_the_middle(ring, node, sign):
    """SIGTERM, as a shutdown sends it, or not even that; then the instance comes back after all."""
    where, _ = plan_of(ring)
    process, result = interrupt(ring, where, node, sign)
    assert result.code == (75 if sign == signal.SIGTERM else -sign), result.err
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # nothing of it is left
    assert not (node / "data/.penates/restored").exists() and not any((node / "root").iterdir())
    assert status(ring, where)["nodes"][0]["state"] == (
        "interrupted" if sign == signal.SIGTERM else "running")
    again = boot(ring, where, node)
    assert again.code == 0, again.err
    assert "continuing" in again.err
    fresh = restore(ring, where, 0, node / "fresh")
    assert fresh.code == 0, fresh.err
    assert sha256_tree(node / "data") == sha256_tree(node / "fresh")


# The name


def named(node, name):
    conf = node / "cassandra.yaml"
    conf.write_text(YAML.format(name))
    return conf


def test_a_ring_of_the_name_of_its_source_is_refused(ring, node):
    where, plan = plan_of(ring)
    conf = named(node, f"'{plan['cluster']}'")
    before = conf.read_text()
    result = boot(ring, where, node, "--apply-yaml", conf)
    assert result.code == 78, result.err
    assert "cluster_name is that of the backup, 'fake-app'" in result.error
    assert "--allow-same-cluster-name" in result.error
    assert not (node / "data").exists() and conf.read_text() == before
    allowed = boot(ring, where, node, "--apply-yaml", conf, "--allow-same-cluster-name")
    assert allowed.code == 0, allowed.err
    assert f"initial_token: {TOKENS[0]}" in conf.read_text()


def test_another_name_is_fine(ring, node):
    where, _ = plan_of(ring)
    conf = named(node, "drill")
    result = boot(ring, where, node, "--apply-yaml", conf)
    assert result.code == 0, result.err
    assert "cluster_name" not in result.err


def test_the_name_counts_when_the_file_comes_later(ring, node):
    """After a restore without it: the file gets no token then, either."""
    where, plan = plan_of(ring)
    assert boot(ring, where, node).code == 0
    conf = named(node, plan["cluster"])
    before = conf.read_text()
    assert boot(ring, where, node, "--apply-yaml", conf).code == 78
    assert conf.read_text() == before


def test_a_node_that_runs_is_not_refused_at_its_next_boot(ring, node):
    """Its file had its token before the name was looked at."""
    where, plan = plan_of(ring)
    conf = named(node, "drill")
    assert boot(ring, where, node, "--apply-yaml", conf).code == 0
    conf.write_text(conf.read_text().replace("drill", plan["cluster"]))
    again = boot(ring, where, node, "--apply-yaml", conf)
    assert again.code == 0, again.err


def test_one_node_of_that_name_is_warned_of(ring, node):
    """It may be on its way back into its ring."""
    conf = named(node, "fake-app")
    result = penates("restore", "s3://backups/backup", *options(ring), "--token", TOKENS[1],
                     "--into", node / "data", "--apply-yaml", conf)
    assert result.code == 0, result.err
    assert result.err.count("cluster_name is that of the backup") == 1


def test_a_name_that_is_not_written_down_is_cassandras_own(node, monkeypatch):
    folder = functools.reduce(lambda h, c: (31 * h + ord(c)) % 2**32, "Test Cluster", 0)
    folder = math.fmod(folder - 2**32 * (folder >= 2**31), 10000)  # as Java does it
    monkeypatch.setattr(small_backup, "CLUSTER", "Test Cluster")
    monkeypatch.setattr(small_backup, "NODE", f"backup/{folder:.0f}_Test Cluster/{TOKEN}")
    conf = node / "cassandra.yaml"
    conf.write_text("num_tokens: 256\n")
    with FakeS3(nodes().store) as server:
        where, _ = plan_of(server)
        result = boot(server, where, node, "--apply-yaml", conf)
        assert result.code == 78, result.err
        assert "cluster_name is that of the backup, 'Test Cluster'" in result.error
