"""A ring: one plan, a slot for each node, and what they tell of themselves."""

import json
import signal
import time

import pytest
from conftest import SECRET_KEY, SESSION_TOKEN, finish, penates, sha256_tree, source_args, start
from fake_s3 import FakeS3, Fault, Store
from fake_s3.imds import FakeIMDS
from fake_s3.server import ACCESS_KEY
from small_backup import CLUSTER, SECOND, snappy, standard
from test_cli import check_schema

TOKENS = [str(1808575600 + k * 2**127 // 3) for k in range(3)]
RACKS = ["us-east-1a", "us-east-1b", "us-east-1c"]
ADDRESSES = ["10.0.0.10", "10.0.1.10", "10.0.2.10"]
STATE = "s3://backups/state/prod"


def nodes(count=3, racks=RACKS, make=lambda number: standard()):
    """One backup of nodes with the content of make(number), spread evenly over the racks."""
    store = Store()
    for number, (token, rack) in list(enumerate(zip(TOKENS, racks)))[:count]:
        backup = make(number)
        for key, thing in backup.store.objects.items():
            data = thing.body.data
            if "META_V2" in key:
                text = backup.manifest().replace(b"/1808575600/", f"/{token}/".encode())
                data = snappy(text.replace(b"us-east-1c", rack.encode()))
            store.put(key.replace("/1808575600/", f"/{token}/"), data)
    backup.store = store
    return backup


@pytest.fixture
def ring():
    with FakeS3(nodes().store) as server:
        yield server


def make(server, *args, **options):
    return penates("ring", "plan", *source_args(server), *args, **options)


def options(server):
    return "--endpoint", server.endpoint, "--path-style"


def plan_of(server, *args):
    """(where it is kept, what it says)"""
    result = make(server, "--state", STATE, "--json", *args)
    assert result.code == 0, result.err
    return f"{STATE}/plans/{result.json['id']}.json", result.json


def restore(server, where, slot, into, *args, env=None):
    return penates("restore", "--ring", where, "--slot", slot, "--into", into, *options(server),
                   *args, env=env)


def status(server, where):
    result = penates("ring", "status", where, *options(server), "--json")
    assert result.code == 0, result.err
    check_schema(result.json, "ring-status")
    return result.json


def test_a_plan_names_every_slot(ring):
    where, plan = plan_of(ring, "--slot-ip", "1=10.0.1.10", "--rack-zone", "us-east-1b=eu-west-1b")
    check_schema(plan, "ring-plan")
    assert [slot["tokens"] for slot in plan["slots"]] == [[token] for token in TOKENS]
    assert [slot["rack"] for slot in plan["slots"]] == RACKS
    assert [slot["ip"] for slot in plan["slots"]] == [None, "10.0.1.10", None]
    assert {rack["rack"]: rack["zone"] for rack in plan["racks"]} == {
        "us-east-1a": "us-east-1a", "us-east-1b": "eu-west-1b", "us-east-1c": "us-east-1c"}
    assert plan["cluster"] == CLUSTER
    assert plan["warnings"] == [] and plan["left_out"] == []
    objects = ring.store.objects
    for slot in plan["slots"]:
        assert slot["manifest"]["etag"] == objects[slot["manifest"]["key"]].etag
    assert plan["totals"]["files"] == sum(slot["files"] for slot in plan["slots"]) == 45
    assert json.loads(objects[where.removeprefix("s3://backups/")].body.data) == plan
    (put,) = [request for request in ring.requests if request.kind == "put"]
    assert put.headers["if-none-match"] == "*"


def test_a_plan_for_people(ring, tmp_path):
    result = make(ring, "--out", tmp_path / "ring.json")
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["SLOT", "0", "1", "2"]
    plan = json.loads((tmp_path / "ring.json").read_text())
    assert lines[0].startswith(f"ring {plan['id']} ")
    assert not any(request.kind == "put" for request in ring.requests)


def test_the_same_plan_is_kept_once(ring):
    """Its name is its digest, so what is there under this name is the same."""
    where, plan = plan_of(ring)
    name = where.removeprefix("s3://backups/")
    before = ring.store.objects[name]
    ring.faults.append(Fault(kind="put", status=412, code="PreconditionFailed", message="x"))
    result = make(ring, "--state", STATE)
    assert result.code == 0, result.err
    assert ring.store.objects[name] is before
    assert plan["format"] == "penates-ring-plan"


def test_three_nodes_restore_their_slots(ring, tmp_path):
    where, plan = plan_of(ring)
    before = status(ring, where)
    assert [node["state"] for node in before["nodes"]] == ["none"] * 3
    for slot in range(3):
        result = restore(ring, where, slot, tmp_path / str(slot), "--json")
        assert result.code == 0, result.err
        assert f"token {TOKENS[slot]}, rack {RACKS[slot]}" in result.err
    assert len({json.dumps(sha256_tree(tmp_path / str(slot))) for slot in range(3)}) == 1
    after = status(ring, where)
    assert after["restored"] == after["slots"] == 3
    for slot, node in zip(plan["slots"], after["nodes"]):
        assert node["state"] == "restored"
        assert (node["files_done"], node["stored_done"]) == (slot["files"], slot["stored_bytes"])
    for name, thing in ring.store.objects.items():
        if "/nodes/" in name:
            check_schema(json.loads(thing.body.data), "node-report")
    again = restore(ring, where, 0, tmp_path / "0", "--json")
    assert again.code == 0
    assert status(ring, where)["nodes"][0]["state"] == "already-restored"
    table = penates("ring", "status", where, *options(ring))
    assert table.out.splitlines()[-1] == "3 of 3 nodes restored"


def test_a_plan_from_a_file_is_reported_nowhere(ring, tmp_path):
    saved = tmp_path / "ring.json"
    assert make(ring, "--out", saved).code == 0
    result = restore(ring, saved, 2, tmp_path / "data")
    assert result.code == 0, result.err
    assert not any(request.kind == "put" for request in ring.requests)
    refused = penates("ring", "status", saved, *options(ring))
    assert refused.code == 64
    assert "s3://BUCKET/PREFIX/plans/ID.json" in refused.error


def test_a_changed_plan_is_refused(ring, tmp_path):
    saved = tmp_path / "ring.json"
    assert make(ring, "--out", saved).code == 0
    saved.write_text(saved.read_text().replace(RACKS[2], RACKS[1]))
    result = restore(ring, saved, 2, tmp_path / "data")
    assert result.code == 78
    assert "has been changed since it was made" in result.error
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("text", [
    "", "[]", "{", '{"format": "penates-ring-plan", "version": 2}', '{"format": "penates-plan"}',
    "[" * 100_000])
def test_what_is_no_plan_is_refused(ring, tmp_path, text):
    saved = tmp_path / "ring.json"
    saved.write_text(text)
    result = restore(ring, saved, 0, tmp_path / "data")
    assert result.code == 64
    assert "is not a whole ring plan" in result.error


def test_a_slot_that_is_none(ring, tmp_path):
    """More nodes than slots: the last one is told."""
    where, _ = plan_of(ring)
    for slot, words in (("3", "slots 0 to 2"), ("x", "is no slot"), ("-1", "is no slot")):
        result = restore(ring, where, slot, tmp_path / "data")
        assert result.code == 64, result.err
        assert words in result.error


def test_a_manifest_that_was_replaced_is_refused(ring, tmp_path):
    where, plan = plan_of(ring)
    key = plan["slots"][1]["manifest"]["key"]
    data = ring.store.objects[key].body.data
    ring.store.put(key, data, etag="another")
    result = restore(ring, where, 1, tmp_path / "data")
    assert result.code == 78, result.err
    assert not (tmp_path / "data").exists()
    node = status(ring, where)["nodes"][1]
    assert node["state"] == "failed"
    assert node["error"] in result.error


def test_another_clusters_node_is_refused(ring, tmp_path):
    """A directory that holds the restore of another ring's plan is left alone."""
    first, _ = plan_of(ring)
    assert restore(ring, first, 0, tmp_path / "data").code == 0
    tree = sha256_tree(tmp_path / "data")
    second, _ = plan_of(ring, "--slot-ip", "0=10.0.0.10")
    result = restore(ring, second, 0, tmp_path / "data")
    assert result.code == 78, result.err
    assert sha256_tree(tmp_path / "data") == tree


def test_by_hand_on_a_node_of_a_ring(ring, tmp_path):
    """Its configuration is of its boot, which a table that is brought back leaves as it is."""
    where, _ = plan_of(ring)
    data = tmp_path / "data"
    yaml = tmp_path / "cassandra.yaml"
    (tmp_path / "root").mkdir()
    yaml.write_text("cluster_name: 'other'\n")
    conf = tmp_path / "penates.conf"
    conf.write_text(f"ring = {where}\nslot = 1\ninto = {data}\napply-yaml = {yaml}\n"
                    f"history = {tmp_path / 'root'}\nendpoint = {ring.endpoint}\n"
                    "path-style = true\n")
    boot = penates("restore", "--config", conf)
    assert boot.code == 0, boot.err
    booted = sha256_tree(data), yaml.read_text(), status(ring, where)

    (data / "ks" / ("users_before-" + 32 * "1")).mkdir()
    by_hand = ["--token", TOKENS[1], "--include", "ks.users", "--config", conf]
    added = penates("restore", "s3://backups/backup", *by_hand, "--as", "ks.users_before")
    assert added.code == 0, added.err
    assert f"{conf} line 1: ring: not used, since a SOURCE or a plan was given" in added.err
    loader = penates("restore", "s3://backups/backup", *by_hand, "--layout", "loader",
                     "--into", tmp_path / "load")
    assert loader.code == 0, loader.err
    tree = sha256_tree(data)
    assert {name for name in tree if "/users-" in name} == set(booted[0])
    assert len(tree) == 2 * len(booted[0])
    assert {name: tree[name] for name in booted[0]} == booted[0]
    assert (yaml.read_text(), status(ring, where)) == booted[1:]

    again = penates("restore", "--config", conf)
    assert again.code == 0, again.err
    assert "already restored" in again.err
    assert sha256_tree(data) == tree


def on_ec2(imds):
    return {"AWS_EC2_METADATA_DISABLED": None, "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.endpoint}


@pytest.fixture
def imds():
    with FakeIMDS((ACCESS_KEY, SECRET_KEY, SESSION_TOKEN)) as imds:
        imds.words["placement/availability-zone"] = RACKS[1]
        imds.words["local-ipv4"] = ADDRESSES[1]
        yield imds


def fixed(server):
    return plan_of(server, *(word for slot, ip in enumerate(ADDRESSES)
                             for word in ("--slot-ip", f"{slot}={ip}")))[0]


def test_slot_by_tag(ring, imds, tmp_path):
    where, _ = plan_of(ring)
    imds.words["tags/instance/restore.slot"] = "1"
    result = restore(ring, where, "auto", tmp_path / "data", env=on_ec2(imds))
    assert result.code == 0, result.err
    assert f"slot 1 of ring {where[-69:-57]}: token {TOKENS[1]}, rack {RACKS[1]}" in result.err


def test_slot_by_address(ring, imds, tmp_path):
    result = restore(ring, fixed(ring), "auto", tmp_path / "data", env=on_ec2(imds))
    assert result.code == 0, result.err
    assert f"token {TOKENS[1]}, rack {RACKS[1]}" in result.err


@pytest.mark.parametrize("words, code, why", [
    ({"local-ipv4": "10.9.9.9"}, 64, "no slot of the ring has its address 10.9.9.9"),
    ({"tags/instance/restore.slot": "one"}, 64, "tag restore.slot: 'one' is no number"),
    ({"tags/instance/restore.slot": "7"}, 64, "slots 0 to 2"),
    ({"tags/instance/restore.slot": "0"}, 78, "its rack us-east-1a is in zone us-east-1a, this "
                                             "instance in us-east-1b"),
])
def test_no_slot_for_this_instance(ring, imds, tmp_path, words, code, why):
    where = fixed(ring)
    imds.words.update(words)
    result = restore(ring, where, "auto", tmp_path / "data", env=on_ec2(imds))
    assert result.code == code, result.err
    assert why in result.error
    assert not (tmp_path / "data").exists()


def test_wrong_zone_of_a_slot_given_by_hand(ring, imds, tmp_path):
    where, _ = plan_of(ring)
    result = restore(ring, where, "2", tmp_path / "data", env=on_ec2(imds))
    assert result.code == 78
    assert "--rack-zone us-east-1c=us-east-1b" in result.error


def test_without_metadata_the_slot_is_asked_for(ring, tmp_path):
    where, _ = plan_of(ring)
    result = restore(ring, where, "auto", tmp_path / "data")
    assert result.code in (64, 66)
    assert "--slot N" in result.error


def test_a_node_that_is_long_gone_is_left_out(tmp_path):
    backup = nodes()
    for key, thing in list(backup.store.objects.items()):
        if f"/{TOKENS[2]}/" in key:
            continue
        for ms in (SECOND, SECOND + 5000):  # the others went on for three days
            later = key.replace(f"/{ms}/", f"/{ms + 3 * 86_400_000}/")
            if later != key:
                data = thing.body.data
                if "META_V2" in key:
                    token = key.split("/")[2]
                    text = backup.manifest().replace(b"/1808575600/", f"/{token}/".encode())
                    text = text.replace(f"/{SECOND}/".encode(),
                                        f"/{SECOND + 3 * 86_400_000}/".encode())
                    later = later.replace("meta_v2_202311142213", "meta_v2_202311172213")
                    data = snappy(text)
                backup.store.put(later, data)
    with FakeS3(backup.store) as server:
        _, plan = plan_of(server, "--rack-zone", "us-east-1c=z")
        assert [slot["tokens"][0] for slot in plan["slots"]] == TOKENS[:2]
        (left,) = plan["left_out"]
        assert left["token"] == TOKENS[2]
        assert "more than two days behind" in left["why"]


def test_uneven_rings_are_warned_of():
    with FakeS3(nodes(2).store) as server:
        _, plan = plan_of(server)
        assert any("even share" in warning["why"] for warning in plan["warnings"])
    with FakeS3(nodes(3, ["a", "a", "b"]).store) as server:
        _, plan = plan_of(server)
        assert any("do not split evenly" in warning["why"] for warning in plan["warnings"])


@pytest.mark.parametrize("args, why", [
    (["--rack-zone", "nowhere=z"], "the ring has no such rack"),
    (["--rack-zone", "z"], "not of the form NAME=VALUE"),
    (["--slot-ip", "3=10.0.0.1"], "slots go from 0 to 2"),
    (["--slot-ip", "0=ten"], "is no address"),
    (["--slot-ip", "0=10.0.0.1", "--slot-ip", "1=10.0.0.1"], "has this address"),
    (["--state", "/tmp/x"], "is no place for the state of a ring"),
])
def test_values_that_fit_nothing(ring, args, why):
    result = make(ring, *args)
    assert result.code == 64, result.err
    assert why in result.error
    assert not any(request.kind == "put" for request in ring.requests)


@pytest.mark.parametrize("command", ["plan", "doctor"])
def test_a_node_looks_before_it_restores(ring, tmp_path, command):
    where, _ = plan_of(ring)
    gets = ring.count("put")
    result = penates(command, "--ring", where, "--slot", 1, "--into", tmp_path / "data",
                     *options(ring), "--json")
    assert result.code == 0, result.err
    check_schema(result.json, command)
    assert TOKENS[1] in result.out and TOKENS[0] not in result.out
    assert ring.count("put") == gets and not (tmp_path / "data").exists()
    refused = penates(command, "--ring", where, "--slot", "claim", *options(ring))
    assert refused.code == 64 and "claimed by the restore alone" in refused.error


def test_a_plan_of_a_slot_is_refused_as_the_restore_would_be(ring):
    where, _ = plan_of(ring)
    (key,) = [key for key in ring.store.objects if "META_V2" in key and f"/{TOKENS[0]}/" in key]
    text = nodes().manifest().replace(b"/1808575600/", f"/{TOKENS[0]}/".encode())
    ring.store.put(key, snappy(text, block=100))  # says the same, and is another object
    result = penates("plan", "--ring", where, "--slot", 0, *options(ring))
    assert result.code == 78 and "is not what the ring's plan names" in result.error


def identities(*rows):
    names = ("appId", "id", "instanceId", "availabilityZone", "token")
    return json.dumps({"Items": [
        {"Name": f"{row[0]}_{row[1]}", "Attributes": [
            {"Name": name, "Value": value} for name, value in zip(names, row)]}
        for row in rows]})


def test_identities_tell_racks(tmp_path):
    file = tmp_path / "sdb.json"
    file.write_text(identities(
        *((CLUSTER, str(k), f"i-{k}", f"zone-{k}", TOKENS[k]) for k in range(2)),
        (CLUSTER, "9", "i-9", "zone-0", "42"), (f"{CLUSTER}-dead", "2", "i-2", "zone-2", TOKENS[2])))
    with FakeS3(nodes().store) as server:
        _, plan = plan_of(server, "--cluster", CLUSTER, "--identities", file)
        assert [slot["rack"] for slot in plan["slots"]] == ["zone-0", "zone-1"]
        assert {left["token"]: left["why"] for left in plan["left_out"]} == {
            TOKENS[2]: "is not among the identities", "42": "has an identity and no backup"}


@pytest.mark.parametrize("text, why", [
    ("{}", 'has no "Items"'),
    (identities(), "no identity of this cluster"),
    (identities((CLUSTER, "0", "i-0", "a", "1"), (CLUSTER, "1", "i-1", "b", "1")),
     "token 1: is that of two items"),
    ('{"Items": [{"Name": "x"}]}', "has no appId"),
])
def test_identities_that_are_none(ring, tmp_path, text, why):
    file = tmp_path / "sdb.json"
    file.write_text(text)
    result = make(ring, "--identities", file)
    assert result.code == 64, result.err
    assert why in result.error


def test_a_state_bucket_that_cannot_be_written_fails_the_plan(ring):
    ring.faults.append(Fault(kind="put", status=403, code="AccessDenied", message="no", times=None))
    result = make(ring, "--state", STATE)
    assert result.code == 77
    assert "s3:PutObject" in result.error


def test_reports_that_cannot_be_written_fail_no_restore(ring, tmp_path):
    where, _ = plan_of(ring)
    ring.faults.append(Fault(kind="put", status=403, code="AccessDenied", message="no", times=None))
    result = restore(ring, where, 0, tmp_path / "data")
    assert result.code == 0, result.err
    assert result.err.count("does not learn of this node") == 1


def test_an_interrupted_node_says_so_and_goes_on(ring, tmp_path):
    where, _ = plan_of(ring)
    slow = ("--bandwidth", "64K", "--threads", "2")
    process = start("restore", "--ring", where, "--slot", 0, "--into", tmp_path / "data",
                    *options(ring), *slow)
    deadline = time.monotonic() + 60
    while not (tmp_path / "data" / ".penates").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.code == 75, result.err
    assert status(ring, where)["nodes"][0]["state"] == "interrupted"
    assert restore(ring, where, 0, tmp_path / "data").code == 0
    assert status(ring, where)["nodes"][0]["state"] == "restored"


def test_a_node_that_was_killed_is_silent(ring, tmp_path):
    where, _ = plan_of(ring)
    assert restore(ring, where, 0, tmp_path / "data").code == 0
    (name,) = [name for name in ring.store.objects if "/nodes/" in name]
    report = json.loads(ring.store.objects[name].body.data)
    report.update(state="running", time="2026-01-01T00:00:00Z")
    ring.store.put(name, json.dumps(report).encode())
    assert status(ring, where)["nodes"][0]["state"] == "silent"
    ring.store.put(name, b'{"state": 1}')
    broken = penates("ring", "status", where, *options(ring))
    assert broken.code == 65
    assert "the report of slot 0" in broken.error


def test_a_ring_of_another_size_is_refused(ring, tmp_path):
    """Of nodes that were never started nothing would be missed: each restores its own slot."""
    where, _ = plan_of(ring)
    for size in (2, 4):
        result = restore(ring, where, 0, tmp_path / "data", "--ring-size", size)
        assert result.code == 78 and f"has 3 slots, --ring-size says {size}" in result.err
        assert not (tmp_path / "data").exists()
    result = restore(ring, where, 0, tmp_path / "data", "--ring-size", 3)
    assert result.code == 0, result.err
    alone = penates("restore", *source_args(ring), "--into", tmp_path / "other", "--ring-size", 3)
    assert alone.code == 64 and "there is no --ring" in alone.err


def test_a_slot_is_restored_once(ring, tmp_path):
    """Its instance is replaced, volumes and all, when the ring has been live for months."""
    where, _ = plan_of(ring)
    for name in ("a", "b", "c", "d"):
        (tmp_path / name).mkdir()

    def instance(name, slot, *args):
        return restore(ring, where, slot, tmp_path / f"data-{name}", "--history", tmp_path / name, *args)

    first = instance("a", 1)
    assert first.code == 0, first.err
    stamps = [name for name in ring.store.objects if name.endswith("/1.once.json")]
    assert len(stamps) == 1
    assert instance("a", 1).code == 0  # a reboot
    asked = len(ring.requests)
    second = instance("b", 1)
    assert second.code == 78
    assert "slot 1: was restored before, by " in second.err and f"delete {STATE}/nodes/" in second.err
    assert not any("SST_V2" in one.key for one in ring.requests[asked:])
    assert not any((tmp_path / "data-b").glob("*/*"))
    assert instance("b", 2).code == 0
    assert instance("c", 1, "--restore-id", "another").code == 0
    ring.store.delete(stamps[0])
    assert instance("d", 1).code == 0


def test_a_stamp_that_may_not_be_looked_up_is_a_warning(ring, tmp_path):
    where, _ = plan_of(ring)
    (tmp_path / "history").mkdir()
    ring.faults.append(Fault(kind="any", key="once.json", times=None, status=403, code="AccessDenied"))
    result = restore(ring, where, 0, tmp_path / "data", "--history", tmp_path / "history")
    assert result.code == 0, result.err
    assert "whether this slot was restored before is not known" in result.err
    assert "an instance that replaces this one would be restored again" in result.err


def test_what_is_no_stamp_counts_as_one(ring, tmp_path):
    where, plan = plan_of(ring)
    (tmp_path / "history").mkdir()
    ring.store.put(f"state/prod/nodes/{plan['id']}/0.once.json", b"[")
    result = restore(ring, where, 0, tmp_path / "data", "--history", tmp_path / "history")
    assert result.code == 78 and "another node at a time that it does not tell" in result.err


def test_two_nodes_that_are_given_one_slot(ring, tmp_path):
    where, _ = plan_of(ring)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    slow = start("restore", "--ring", where, "--slot", 1, "--into", tmp_path / "data-a", "--history",
                 tmp_path / "a", "--node", "i-a", *options(ring), "--bandwidth", "64K", "--memory",
                 "32M", "--part-size", "1M")
    while not (tmp_path / "data-a/.penates/journal").exists():
        assert slow.poll() is None, finish(slow).err
        time.sleep(0.05)
    quick = restore(ring, where, 1, tmp_path / "data-b", "--history", tmp_path / "b", "--node", "i-b")
    assert quick.code == 0 and "two nodes" not in quick.err, quick.err
    told = finish(slow)
    assert told.code == 0, told.err
    assert f"was restored by i-b meanwhile: two nodes have token {TOKENS[1]}" in told.err
    again = restore(ring, where, 1, tmp_path / "data-b", "--history", tmp_path / "b", "--node", "i-b")
    assert again.code == 0 and "two nodes" not in again.err, again.err
