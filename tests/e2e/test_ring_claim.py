"""Nodes that claim their slots: leased, fenced, sealed, and no coordinator."""

import json
import signal
import time

import pytest
from conftest import finish, penates, sha256_tree, start
from fake_s3 import FakeS3, Fault
from fake_s3.imds import FakeIMDS
from test_cli import check_schema
from test_ring import RACKS, STATE, TOKENS, nodes, on_ec2, options, plan_of, status

LAPSE_S = 15 * 60 + 10  # the default lease, and what clocks are given beyond it
CLAIM = "/claims/"


@pytest.fixture
def ring():
    """Three racks of one token."""
    with FakeS3(nodes().store) as server:
        yield server


@pytest.fixture
def rack():
    """One rack of three tokens."""
    with FakeS3(nodes(3, ["r"] * 3).store) as server:
        yield server


def arguments(server, where, into, node, rack, *args):
    return ["restore", "--ring", where, "--slot", "claim", "--into", into, "--node", node, "--rack",
            rack, *options(server), *args]


def restore(server, where, into, node, rack=RACKS[0], *args, **extra):
    return penates(*arguments(server, where, into, node, rack, *args), **extra)


def begin(server, where, into, node, rack, *args):
    """A restore that takes its time, once it is under way."""
    process = start(*arguments(server, where, into, node, rack, "--bandwidth", "16K", "--memory",
                               "32M", "--part-size", "1M", *args))
    wait_for(lambda: (into / ".penates" / "journal").exists(), process)
    return process


def wait_for(done, process=None, seconds=90):
    deadline = time.monotonic() + seconds
    while not done():
        assert process is None or process.poll() is None, finish(process).err
        assert time.monotonic() < deadline
        time.sleep(0.05)


def claim(server, where, *args, node="n0", rack=RACKS[0], env=None):
    named = ("--node", node) if node else ()
    racked = ("--rack", rack) if rack else ()
    return penates("ring", "claim", where, *named, *racked, *options(server), *args, env=env)


def objects(server, kind=CLAIM):
    """What lies there: token (or ring) -> JSON."""
    return {name.rsplit("/", 1)[1].removesuffix(".json"): json.loads(thing.body.data)
            for name, thing in server.store.objects.items() if kind in name}


def is_stamped(folder):
    return (folder / ".penates" / "restored").exists()


def test_a_ring_from_claims_to_the_seal(ring, tmp_path):
    where, plan = plan_of(ring)
    for index, rack in enumerate(RACKS):
        assert "ring" not in objects(ring)
        result = restore(ring, where, tmp_path / rack, f"n{index}", rack)
        assert result.code == 0, result.err
        assert is_stamped(tmp_path / rack)
    assert "all 3 tokens are restored: it is sealed" in result.err
    claims = objects(ring)
    check_schema(claims.pop("ring"), "ring-seal")
    assert {token: (one["node"], one["phase"], one["attempt"]) for token, one in claims.items()} == {
        token: (f"n{index}", "restored", 1) for index, token in enumerate(TOKENS)}
    for one in claims.values():
        check_schema(one, "ring-claim")
    shown = status(ring, where)
    assert shown["sealed"] and shown["restored"] == 3
    assert [node["claim"]["phase"] for node in shown["nodes"]] == ["restored"] * 3
    assert [node["node"] for node in shown["nodes"]] == ["n0", "n1", "n2"]
    assert len({json.dumps(sha256_tree(tmp_path / rack)) for rack in RACKS}) == 1
    table = penates("ring", "status", where, *options(ring)).out
    assert table.splitlines()[-1] == "3 of 3 nodes restored; sealed"


def test_reboots_and_newcomers_of_a_live_ring(ring, tmp_path):
    where, _ = plan_of(ring)
    for index, rack in enumerate(RACKS):
        assert restore(ring, where, tmp_path / rack, f"n{index}", rack).code == 0
    before = objects(ring)
    again = restore(ring, where, tmp_path / RACKS[0], "n0")
    assert again.code == 0 and "already restored" in again.err
    late = restore(ring, where, tmp_path / "late", "n9")
    assert late.code == 78, late.err
    assert "is live" in late.error and "replace_address_first_boot" in late.error
    lost = restore(ring, where, tmp_path / "blank", "n0")
    assert lost.code == 78, lost.err
    assert "this node's data is gone" in lost.error
    assert not (tmp_path / "late").exists() and not (tmp_path / "blank").exists()
    released = claim(ring, where, "--release", TOKENS[0], "--gone", "n0")
    assert released.code == 78 and "is live" in released.error
    assert objects(ring) == before


def test_a_dozen_nodes_and_three_tokens(rack, tmp_path):
    where, _ = plan_of(rack)
    running = [start(*arguments(rack, where, tmp_path / str(i), f"n{i}", "r", "--lease", "20s"))
               for i in range(12)]
    results = [finish(process) for process in running]
    won = [i for i, result in enumerate(results) if result.code == 0]
    assert len(won) == 3, [result.err for result in results]
    assert all(result.code in (66, 78) for i, result in enumerate(results) if i not in won)
    claims = objects(rack)
    assert "ring" in claims
    assert sorted(claims[token]["node"] for token in TOKENS) == sorted(f"n{i}" for i in won)
    assert [i for i in range(12) if is_stamped(tmp_path / str(i))] == won


def test_a_killed_node_is_replaced_after_its_lease(rack, tmp_path):
    where, _ = plan_of(rack)
    for i in range(2):
        assert restore(rack, where, tmp_path / str(i), f"n{i}", "r").code == 0
    process = begin(rack, where, tmp_path / "dead", "dead", "r")
    process.kill()
    finish(process)
    (token,) = [t for t, one in objects(rack).items() if one["phase"] == "restoring"]
    waiting = start(*arguments(rack, where, tmp_path / "new", "new", "r"))
    wait_for(lambda: rack.count("get", None) and any(
        r.kind == "get" and r.key.endswith(f"/{token}.json") for r in rack.requests[-3:]), waiting)
    time.sleep(0.3)
    assert waiting.poll() is None  # the node may be alive: this is what it waits for
    waiting.kill()
    finish(waiting)
    rack.clock_offset = LAPSE_S  # of the store; none of ours has moved
    shown = status(rack, where)["nodes"][TOKENS.index(token)]["claim"]
    assert shown["lapsed"] and shown["node"] == "dead"
    result = restore(rack, where, tmp_path / "new", "new", "r")
    assert result.code == 0, result.err
    assert (objects(rack)[token]["node"], objects(rack)[token]["attempt"]) == ("new", 2)
    assert "ring" in objects(rack)
    late = restore(rack, where, tmp_path / "dead", "dead", "r")  # it was but slow to boot
    assert late.code == 78, late.err
    assert not is_stamped(tmp_path / "dead")


def test_a_node_that_rebooted_goes_on_with_its_own(ring, tmp_path):
    where, _ = plan_of(ring)
    process = begin(ring, where, tmp_path / "data", "n0", RACKS[0])
    process.kill()
    finish(process)
    before = objects(ring)[TOKENS[0]]
    result = restore(ring, where, tmp_path / "data", "n0")
    assert result.code == 0, result.err
    assert "continuing" in result.err
    after = objects(ring)[TOKENS[0]]
    assert (after["node"], after["attempt"], after["phase"]) == ("n0", 1, "restored")
    assert after["run"] != before["run"]


def test_a_frozen_node_is_fenced(rack, tmp_path):
    """It has not noticed that its lease is over: the next holder is done when it wakes up."""
    where, _ = plan_of(rack)
    for i in range(2):
        assert restore(rack, where, tmp_path / str(i), f"n{i}", "r").code == 0
    frozen = begin(rack, where, tmp_path / "frozen", "frozen", "r", "--bandwidth", "64K")
    frozen.send_signal(signal.SIGSTOP)
    rack.clock_offset = LAPSE_S
    assert restore(rack, where, tmp_path / "new", "new", "r").code == 0
    frozen.send_signal(signal.SIGCONT)
    result = finish(frozen)
    assert result.code == 75, result.err
    assert "now claimed by node new; stopped" in result.error
    assert not is_stamped(tmp_path / "frozen") and is_stamped(tmp_path / "new")
    shown = status(rack, where)
    assert shown["sealed"] and shown["restored"] == 3  # whatever the one that woke up reports
    assert "frozen" not in [node["node"] for node in shown["nodes"]]


def test_a_lost_lease_stops_the_transfer(ring, tmp_path):
    where, _ = plan_of(ring)
    process = begin(ring, where, tmp_path / "data", "n0", RACKS[0], "--lease", "10s")
    (name,) = [name for name in ring.store.objects if CLAIM in name]
    other = json.loads(ring.store.objects[name].body.data)
    other.update(node="other", run="another")
    ring.store.put(name, json.dumps(other).encode())
    result = finish(process)
    assert result.code == 75, result.err
    assert "now claimed by node other" in result.error
    assert not is_stamped(tmp_path / "data")
    left = penates("status", tmp_path / "data", "--json").json
    assert left["state"] == "interrupted" and left["files_done"] < left["files"]
    (report,) = objects(ring, "/nodes/").values()
    check_schema(report, "node-report")
    assert (report["node"], report["state"]) == ("n0", "interrupted")
    assert status(ring, where)["nodes"][0]["state"] == "none"  # of the other one


def test_a_lost_lease_ends_the_wait_for_a_thaw(ring, tmp_path):
    """Another node has the slot by then: nothing is worth hours of waiting here."""
    where, _ = plan_of(ring)
    key = next(key for key in ring.store.objects
               if f"/{TOKENS[0]}/" in key and key.endswith("nb-1-big-Data.db"))
    thing = ring.store.objects[key]
    thing.storage_class, thing.copy = "GLACIER", (time.time() + 3600, time.time() + 7200)
    process = start(*arguments(ring, where, tmp_path / "data", "n0", RACKS[0], "--lease", "10s",
                               "--thaw", "1"))
    wait_for(lambda: ring.count("head", key), process)
    (name,) = [name for name in ring.store.objects if CLAIM in name]
    other = json.loads(ring.store.objects[name].body.data)
    other.update(node="other", run="another")
    ring.store.put(name, json.dumps(other).encode())
    result = finish(process)
    assert result.code == 75, result.err
    assert "now claimed by node other" in result.error
    assert not (tmp_path / "data").exists()


def test_a_lease_that_cannot_be_renewed_ends_the_restore(ring, tmp_path):
    where, _ = plan_of(ring)
    process = begin(ring, where, tmp_path / "data", "n0", RACKS[0], "--lease", "5s")
    ring.faults.append(Fault(kind="put", key=CLAIM, status=500, times=None))
    result = finish(process)
    assert result.code == 75, result.err
    assert "was not renewed for a whole lease of 5 s" in result.error
    assert "this goes on until the lease ends" in result.err
    assert not is_stamped(tmp_path / "data")
    ring.faults.clear()
    assert restore(ring, where, tmp_path / "data", "n0").code == 0


@pytest.mark.parametrize("fault", [
    {"lose_answer": True, "times": 1},  # the claim itself
    {"lose_answer": True, "after": 4, "times": 1},  # the fence, behind two proofs and a start
    {"lose_answer": True, "times": None},  # every one
    {"close_first": True, "times": 2},
    {"status": 409, "code": "ConditionalRequestConflict", "times": 3},
    {"status": 503, "code": "SlowDown", "times": 2},
], ids=["claim", "fence", "all", "closed", "conflicts", "busy"])
def test_answers_that_do_not_come(ring, tmp_path, fault):
    where, _ = plan_of(ring)
    ring.faults.append(Fault(kind="put", key=f"{CLAIM}.*/{TOKENS[0]}", **fault))
    result = restore(ring, where, tmp_path / "data", "n0")
    assert result.code == 0, result.err
    claims = objects(ring)
    assert list(claims) == [TOKENS[0]]
    assert (claims[TOKENS[0]]["attempt"], claims[TOKENS[0]]["phase"]) == (1, "restored")


def test_more_nodes_than_tokens(ring, tmp_path):
    where, _ = plan_of(ring)
    assert restore(ring, where, tmp_path / "0", "n0").code == 0
    result = restore(ring, where, tmp_path / "1", "n1")
    assert result.code == 66, result.err
    assert f"no token of this rack is left for node n1: {TOKENS[0]} has n0 (restored)" in result.error
    assert not (tmp_path / "1").exists()


def test_fewer_nodes_than_tokens_never_seal(ring, tmp_path):
    where, _ = plan_of(ring)
    for index in range(2):
        result = restore(ring, where, tmp_path / str(index), f"n{index}", RACKS[index])
        assert result.code == 0
    assert f"is not sealed yet: token {TOKENS[2]} is not restored" in result.err
    shown = status(ring, where)
    assert not shown["sealed"]
    assert shown["nodes"][2]["claim"] is None


def test_whoever_comes_last_seals_even_after_a_crash(ring, tmp_path):
    where, _ = plan_of(ring)
    ring.faults.append(Fault(kind="put", key="ring.json", status=403, code="AccessDenied",
                             message="no", times=None))
    for index, rack in enumerate(RACKS):
        result = restore(ring, where, tmp_path / rack, f"n{index}", rack)
        assert result.code == 0, result.err
    assert "is not sealed by this node" in result.err
    ring.faults.clear()
    again = restore(ring, where, tmp_path / RACKS[0], "n0")
    assert again.code == 0 and "it is sealed" in again.err
    assert status(ring, where)["sealed"]


def test_a_node_killed_between_fence_and_stamp(ring, tmp_path):
    """The ring is sealed with it: its data is whole, and a rerun stamps it."""
    where, _ = plan_of(ring)
    process = begin(ring, where, tmp_path / "0", "n0", RACKS[0])
    process.kill()
    finish(process)
    for index in (1, 2):
        assert restore(ring, where, tmp_path / str(index), f"n{index}", RACKS[index]).code == 0
    (name,) = [name for name in ring.store.objects if name.endswith(f"/{TOKENS[0]}.json")]
    fenced = json.loads(ring.store.objects[name].body.data)
    fenced.update(phase="restored")
    ring.store.put(name, json.dumps(fenced).encode())
    assert restore(ring, where, tmp_path / "1", "n1", RACKS[1]).code == 0
    assert status(ring, where)["sealed"]
    result = restore(ring, where, tmp_path / "0", "n0")
    assert result.code == 0, result.err
    assert is_stamped(tmp_path / "0")
    assert objects(ring)[TOKENS[0]]["phase"] == "restored"


def test_two_processes_of_one_node(ring, tmp_path):
    """The lock of the target keeps the second from taking the claim over."""
    where, _ = plan_of(ring)
    process = begin(ring, where, tmp_path / "data", "n0", RACKS[0])
    before = objects(ring)
    second = restore(ring, where, tmp_path / "data", "n0")
    assert second.code == 78, second.err
    assert objects(ring) == before
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 75


def test_a_state_bucket_out_of_reach(ring, tmp_path):
    where, _ = plan_of(ring)
    fault = Fault(kind="put", key=CLAIM, close_first=True, times=None)
    ring.faults.append(fault)
    began = time.monotonic()
    result = restore(ring, where, tmp_path / "data", "n0", RACKS[0], "--retry-for", "2s")
    assert result.code == 69, result.err
    assert time.monotonic() - began < 60
    assert not (tmp_path / "data").exists()
    ring.faults[:] = [Fault(kind="any", close_first=True, times=None)]
    assert claim(ring, where, "--retry-for", "1s").code == 69
    ring.faults.clear()
    assert restore(ring, where, tmp_path / "data", "n0").code == 0


CLOSED = ("--endpoint", "http://127.0.0.1:1", "--path-style", "--retry-for", "0s")


def test_later_boots_do_not_need_the_state_bucket(ring, tmp_path):
    """Who has restored its slot is that node, and goes by nothing else; who has not, needs to ask."""
    where, plan = plan_of(ring)
    root, data = tmp_path / "root", tmp_path / "data"
    root.mkdir()
    command = ["restore", "--ring", where, "--slot", "claim", "--into", data, "--node", "n0",
               "--rack", RACKS[0], "--history", root]
    assert penates(*command, *options(ring)).code == 0
    assert (root / f"ring-{plan['id']}.slot").read_text() == "0\n"
    before = sha256_tree(data)
    for args in (CLOSED, options(ring)):
        again = penates(*command, *args)
        assert again.code == 0 and "already restored" in again.err, again.err
    assert sha256_tree(data) == before
    assert objects(ring)[TOKENS[0]]["phase"] == "restored"
    data.rename(tmp_path / "lost")
    assert penates(*command, *CLOSED).code == 78
    (root / "history").rename(tmp_path / "history")
    unknown = penates(*command, *CLOSED)
    assert unknown.code == 69, unknown.err
    assert not data.exists()


def test_claims_that_somebody_has_deleted(rack, tmp_path):
    """A node that is restored takes its own slot again, and no other one."""
    where, _ = plan_of(rack)
    (tmp_path / "root").mkdir()
    assert claim(rack, where, rack="r").code == 0
    (liked,) = objects(rack)
    assert claim(rack, where, "--release", liked, rack="r").code == 0
    assert claim(rack, where, "--take", liked, node="n1", rack="r").code == 0
    args = ("--history", tmp_path / "root")
    assert restore(rack, where, tmp_path / "data", "n0", "r", *args).code == 0
    (own,) = {token for token, one in objects(rack).items() if one["node"] == "n0"}
    for name in [name for name in rack.store.objects if CLAIM in name]:
        rack.store.delete(name)
    again = restore(rack, where, tmp_path / "data", "n0", "r", *args)
    assert again.code == 0 and "already restored" in again.err, again.err
    assert {token: one["phase"] for token, one in objects(rack).items()} == {own: "restored"}
    assert own != liked


def test_a_store_that_heeds_no_conditions(ring, tmp_path):
    where, _ = plan_of(ring)
    ring.quirks.add("no conditions")
    for _ in range(2):  # also for whom a claim lies there already
        result = restore(ring, where, tmp_path / "data", "n0")
        assert result.code == 64, result.err
        assert "does not heed If-Match and If-None-Match" in result.error
    assert not (tmp_path / "data").exists()


def test_no_request_more_for_an_object(ring, tmp_path):
    where, _ = plan_of(ring)
    ring.requests.clear()
    assert restore(ring, where, tmp_path / "data", "n0").code == 0
    asked = [(r.method, r.key.rsplit("/", 1)[1]) for r in ring.requests if CLAIM in r.key]
    token = f"{TOKENS[0]}.json"
    assert asked[:5] == [("GET", "ring.json"), ("GET", token)] + [("PUT", token)] * 3
    assert asked[5:7] == [("PUT", token), ("GET", "ring.json")]  # the fence
    assert len(asked) <= 9, asked


def test_the_printed_policy_is_enough(ring, tmp_path):
    where, plan = plan_of(ring)
    policy = penates("policy", "s3://backups/backup", "--cluster", plan["cluster"], "--format",
                     "v2", "--state", STATE, "--restore-id", plan["id"])
    assert policy.code == 0, policy.err
    ring.policy = json.loads(policy.out)
    assert restore(ring, where, tmp_path / "data", "n0").code == 0
    assert claim(ring, where, "--restore-id", "another").code == 77


# Racks and names


@pytest.fixture
def imds():
    with FakeIMDS(("AKIA", "x", "y")) as imds:
        imds.words["placement/availability-zone"] = RACKS[1]
        imds.words["instance-id"] = "i-0abc"
        yield imds


def test_zone_and_name_of_an_instance(ring, imds):
    where, _ = plan_of(ring)
    result = claim(ring, where, "--json", node=None, rack=None, env=on_ec2(imds))
    assert result.code == 0, result.err
    check_schema(result.json, "ring-claim-result")
    assert (result.json["slot"], result.json["node"], result.json["rack"]) == (1, "i-0abc", RACKS[1])
    assert result.json["outcome"] == "claimed"
    again = claim(ring, where, "--json", node=None, rack=None, env=on_ec2(imds))
    assert (again.json["slot"], again.json["outcome"]) == (1, "kept")


def test_metadata_that_may_not_be_read(ring, imds, tmp_path):
    """As where an instance has its service switched off: the zone is not known, so nothing is begun."""
    where, _ = plan_of(ring)
    imds.fail_always = 403
    into = tmp_path / "data"
    args = ("restore", "--ring", where, "--slot", 0, "--into", into, *options(ring))
    result = penates(*args, env=on_ec2(imds))
    assert result.code == 77 and "AWS_EC2_METADATA_DISABLED=true" in result.error, result.err
    assert not into.exists()
    result = penates(*args, env={"AWS_EC2_METADATA_DISABLED": "true"})
    assert result.code == 0 and "is not checked" in result.err, result.err


def test_reports_name_the_node_of_a_slot_by_number(ring, imds, tmp_path):
    where, _ = plan_of(ring)
    result = penates("restore", "--ring", where, "--slot", "1", "--into", tmp_path / "data",
                     *options(ring), env=on_ec2(imds))
    assert result.code == 0, result.err
    assert status(ring, where)["nodes"][1]["node"] == "i-0abc"


def test_racks_that_are_not_ones_own(ring, imds):
    where, _ = plan_of(ring)
    wrong = claim(ring, where, rack=RACKS[0], env=on_ec2(imds))
    assert wrong.code == 78 and "this instance in us-east-1b" in wrong.error
    other = claim(ring, where, "--take", TOKENS[0], rack=None, env=on_ec2(imds))
    assert other.code == 78 and "which is not this node's" in other.error
    imds.words["placement/availability-zone"] = "eu-west-1a"
    foreign = claim(ring, where, rack=None, env=on_ec2(imds))
    assert foreign.code == 78 and "no token for zone eu-west-1a" in foreign.error
    unknown = claim(ring, where, rack="nowhere")
    assert unknown.code == 64 and "no such rack" in unknown.error
    untold = claim(ring, where, rack=None)
    assert untold.code == 64 and "--rack" in untold.error
    assert not objects(ring)


@pytest.mark.parametrize("args, why", [
    (["--slot", "0", "--rack", "r"], "--rack: is for --slot claim alone"),
    (["--slot", "auto", "--lease", "1m"], "--lease: is for --slot claim alone"),
    (["--slot", "claim", "--lease", "1s"], "--lease"),
    (["--slot", "claim", "--lease", "2d"], "--lease"),
    (["--slot", "claim", "--node", "a b"], "--node"),
    (["--slot", "claim"], "does not lie in a state bucket"),
])
def test_options_that_do_not_fit(ring, tmp_path, args, why):
    saved = tmp_path / "ring.json"
    plan_of(ring, "--out", saved)
    result = penates("restore", "--ring", saved, "--into", tmp_path / "data", *options(ring), *args)
    assert result.code == 64, result.err
    assert why in result.error


@pytest.mark.parametrize("args, why", [
    (["--take", "1", "--release", "1"], "--release: excludes --take"),
    (["--gone", "x"], "--gone: there is no"),
    (["--take", "42"], "no such token"),
    (["--release", "42"], "no such token"),
])
def test_claims_that_do_not_fit(ring, args, why):
    where, _ = plan_of(ring)
    result = claim(ring, where, *args)
    assert result.code == 64, result.err
    assert why in result.error


def test_a_claim_of_a_plan_in_a_file(tmp_path):
    result = penates("ring", "claim", tmp_path / "ring.json", "--rack", "r")
    assert result.code == 64 and "plans/ID.json" in result.error


# What operators do


def test_a_claim_for_later(ring, tmp_path):
    """As user data does it: the lease runs from then on."""
    where, _ = plan_of(ring)
    shown = claim(ring, where)
    assert shown.code == 0, shown.err
    assert shown.out.startswith(f"slot 0 of ring {where[-69:-57]}: token {TOKENS[0]}, rack")
    before = objects(ring)
    assert claim(ring, where).code == 0
    assert objects(ring) == before  # kept, untouched: a restore may be renewing it
    ring.clock_offset = LAPSE_S
    renewed = claim(ring, where, "--json")
    check_schema(renewed.json, "ring-claim-result")
    assert (renewed.json["outcome"], renewed.json["attempt"]) == ("renewed", 1)
    assert restore(ring, where, tmp_path / "data", "n0").code == 0
    assert claim(ring, where, "--json").json["phase"] == "restored"


def test_a_live_claim_is_not_given_up_by_others(ring):
    where, _ = plan_of(ring)
    assert claim(ring, where).code == 0
    for args in (["--release", TOKENS[0]], ["--take", TOKENS[0]],
                 ["--release", TOKENS[0], "--gone", "n0"]):
        refused = claim(ring, where, *args, node="n1")
        assert refused.code == 78, refused.err
        assert "node n0 restores it" in refused.error
    assert objects(ring)[TOKENS[0]]["node"] == "n0"
    own = claim(ring, where, "--release", TOKENS[0], "--json", node="n0")
    assert own.code == 0, own.err
    check_schema(own.json, "ring-claim-result")
    assert own.json["outcome"] == "released" and own.json["node"] is None
    check_schema(objects(ring)[TOKENS[0]], "ring-claim")
    assert claim(ring, where, "--release", TOKENS[0]).code == 0  # it is free already
    assert claim(ring, where, node="n1").code == 0
    assert objects(ring)[TOKENS[0]]["attempt"] == 2


def test_what_has_lapsed_is_anybodys(ring):
    where, _ = plan_of(ring)
    assert claim(ring, where).code == 0
    ring.clock_offset = LAPSE_S
    assert claim(ring, where, "--release", TOKENS[0], node="laptop", rack=None).code == 0
    assert objects(ring)[TOKENS[0]]["phase"] == "released"
    assert claim(ring, where, "--take", TOKENS[0], node="n1").code == 0
    assert objects(ring)[TOKENS[0]]["node"] == "n1"


def test_what_was_restored_takes_the_name_of_who_is_gone(ring, tmp_path):
    where, _ = plan_of(ring)
    assert restore(ring, where, tmp_path / "0", "n0").code == 0
    for action in ("--release", "--take"):
        for gone in ([], ["--gone", "n2"]):
            refused = claim(ring, where, action, TOKENS[0], *gone, node="n1")
            assert refused.code == 78, refused.err
            assert "node n0 has restored it" in refused.error
            assert "--gone n0" in refused.err
    taken = claim(ring, where, "--take", TOKENS[0], "--gone", "n0", node="n1")
    assert taken.code == 0, taken.err
    assert restore(ring, where, tmp_path / "1", "n1").code == 0
    assert (objects(ring)[TOKENS[0]]["node"], objects(ring)[TOKENS[0]]["attempt"]) == ("n1", 2)


def test_a_node_that_was_said_to_be_gone_and_is_back(ring, tmp_path):
    """Its claim is not left to a lease: that would end, and its token be another's, too."""
    where, _ = plan_of(ring)
    assert restore(ring, where, tmp_path / "0", "n0").code == 0
    assert claim(ring, where, "--release", TOKENS[0], "--gone", "n0", node="n1").code == 0
    again = restore(ring, where, tmp_path / "0", "n0")
    assert again.code == 0, again.err
    one = objects(ring)[TOKENS[0]]
    assert (one["node"], one["phase"], one["attempt"]) == ("n0", "restored", 2)
    assert claim(ring, where, "--take", TOKENS[0], "--gone", "n0", node="n1").code == 0
    assert restore(ring, where, tmp_path / "1", "n1").code == 0
    late = restore(ring, where, tmp_path / "0", "n0")
    assert late.code == 66, late.err
    assert objects(ring)[TOKENS[0]]["node"] == "n1"


def test_what_was_claimed_for_nothing_is_given_back(ring, tmp_path):
    where, _ = plan_of(ring)
    (tmp_path / "data" / "ks").mkdir(parents=True)
    (tmp_path / "data" / "ks" / "mine").write_text("mine")
    assert restore(ring, where, tmp_path / "data", "n0").code == 78
    assert objects(ring)[TOKENS[0]]["phase"] == "released"
    assert restore(ring, where, tmp_path / "1", "n1").code == 0  # at once


def test_one_node_takes_no_second_token(rack):
    where, _ = plan_of(rack)
    first = claim(rack, where, "--json", rack="r").json["token"]
    other = next(token for token in TOKENS if token != first)
    refused = claim(rack, where, "--take", other, rack="r")
    assert refused.code == 78 and f"has token {first} already" in refused.error


def test_what_is_no_claim_is_nobodys(ring, tmp_path):
    where, _ = plan_of(ring)
    assert claim(ring, where).code == 0
    (name,) = [name for name in ring.store.objects if CLAIM in name]
    ring.store.put(name, b"{}")
    assert restore(ring, where, tmp_path / "data", "n0").code == 66
    refused = claim(ring, where, "--release", TOKENS[0], "--gone", "n0")
    assert refused.code == 78 and "is none" in refused.error
    assert status(ring, where)["nodes"][0]["claim"]["phase"] == "unreadable"
