"""Three agents, each in a network namespace of its own, restore a ring; one of them dies in the
middle and a fresh one takes its place. Nothing coordinates them but objects in S3."""

import contextlib
import dataclasses
import json
import os
import pathlib
import random
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "deploy")]

from conftest import BINARY, SECRET_KEY, SESSION_TOKEN, environment, finish, penates, source_args  # noqa: E402
from fake_s3 import FakeS3  # noqa: E402
from fake_s3.imds import FakeIMDS  # noqa: E402
from fake_s3.server import ACCESS_KEY  # noqa: E402
from namespaces import Namespace, Relay, are_permitted  # noqa: E402
from real_servers import ALL  # noqa: E402
from small_backup import SmallBackup  # noqa: E402
from test_ring import ADDRESSES, RACKS, STATE, TOKENS, nodes  # noqa: E402

# Where CI runs they are permitted, or that is a failure.
pytestmark = pytest.mark.skipif("CI" not in os.environ and not are_permitted(),
                                reason="makes network namespaces, as root")

IMDS_PORT = 1338  # in every namespace
HELD_AFTER = 512 << 10  # bytes from S3, of 1.5 MiB a node
KILLED = 1  # the machine in the middle


@dataclasses.dataclass(frozen=True)
class Mapping:
    """How a machine finds what it restores: its words, and what its metadata tells of that."""

    name: str
    words: tuple
    servers: tuple
    has_slot: bool = True

    def metadata(self, number):
        """A tag on most, for the last one an address that the plan has."""
        if not self.has_slot:
            return {}
        if number == 2:
            return {"local-ipv4": ADDRESSES[2]}
        return {"local-ipv4": "10.9.9.9", "tags/instance/restore.slot": str(number)}


MAPPINGS = [
    Mapping("slots", ("--slot", "auto"), ("fake", "ministack", "s3proxy")),
    # The shortest lease there is: the fresh machine waits until that of the dead one is over.
    Mapping("claims", ("--slot", "claim", "--lease", "5s"), ("fake", "ministack", "s3proxy"), False),
]


def content(number):
    """Another one for every node, so that no node's files pass for another's."""
    backup = SmallBackup()
    for generation in range(1, 25):
        backup.add_sstable(generation, random.Random(1000 * number + generation).randbytes(1 << 16))
    backup.seal()
    return backup


@contextlib.contextmanager
def strict_fake():
    with FakeS3() as server:
        server.keys[ACCESS_KEY] = (SECRET_KEY, SESSION_TOKEN, None)  # what the metadata tells
        server.access_key, server.secret_key = ACCESS_KEY, SECRET_KEY
        server.fill = lambda store: vars(server).update(store=store)
        yield server


class Machine:
    """An instance: a namespace with metadata and a way to S3, a disk, and no other state."""

    def __init__(self, stack, server, folder, instance, number, mapping, budget=None):
        self.server, self.disk = server, folder / instance
        (self.disk / "root").mkdir(parents=True)
        self.namespace = stack.enter_context(Namespace(instance))
        self.relay = stack.enter_context(Relay(self.namespace, server.port, budget))
        self.imds = FakeIMDS((server.access_key, server.secret_key, SESSION_TOKEN), port=IMDS_PORT)
        self.namespace.run(self.imds.__enter__)
        stack.callback(self.imds.__exit__)
        self.imds.words = {"instance-id": instance, "placement/availability-zone": RACKS[number],
                           **mapping.metadata(number)}

    def start(self, where, words):
        keys = {} if isinstance(self.server, FakeS3) else keys_of(self.server)
        env = environment(**{"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None,
                             "AWS_EC2_METADATA_DISABLED": None, **keys,
                             "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{IMDS_PORT}"})
        return subprocess.Popen(
            [*self.namespace.enter, BINARY, "restore", "--ring", where, *words,
             "--into", self.disk / "data", "--history", self.disk / "root", "--connections", "4",
             "--endpoint", self.server.endpoint, "--path-style", "--json"],
            env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def files(self):
        return {str(path.relative_to(self.disk / "data")): path.read_bytes()
                for path in (self.disk / "data").rglob("*")
                if path.is_file() and ".penates" not in path.parts}

    def token(self):
        (node,) = json.loads((self.disk / "data/.penates/restored").read_text())["nodes"]
        return node["token"]


def keys_of(server):
    return {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}


def ask(server, *words):
    """Of the main namespace: where an operator sits."""
    session = {"AWS_SESSION_TOKEN": SESSION_TOKEN} if isinstance(server, FakeS3) else {}
    result = penates(*words, "--json", env={**keys_of(server), **session})
    assert result.code == 0, result.err
    return result.json


def status(server, where):
    return ask(server, "ring", "status", where, "--endpoint", server.endpoint, "--path-style")


def states(server, where):
    return [node["state"] for node in status(server, where)["nodes"]]


def make_plan(server):
    fixed = ("--slot-ip", f"2={ADDRESSES[2]}")
    plan = ask(server, "ring", "plan", *source_args(server), "--state", STATE, *fixed)
    return f"{STATE}/plans/{plan['id']}.json"


@pytest.fixture(params=[(mapping, name) for mapping in MAPPINGS for name in mapping.servers],
                ids=lambda param: f"{param[0].name}-{param[1]}")
def case(request, tmp_path):
    mapping, name = request.param
    (tmp_path / "server").mkdir()
    with strict_fake() if name == "fake" else ALL[name](tmp_path / "server") as server:
        server.port = int(server.endpoint.rpartition(":")[2])
        server.fill(nodes(make=content).store)
        yield mapping, server


def kill_in_the_middle(server, where, machine, agent):
    """A third of its bytes have come, and no more will."""
    deadline = time.monotonic() + 60
    while not machine.relay.held.wait(0.1):
        assert agent.poll() is None, finish(agent).err
        assert time.monotonic() < deadline
    assert states(server, where)[KILLED] == "running"
    assert agent.poll() is None
    agent.kill()
    agent.communicate()
    assert (machine.disk / "data/.penates/journal").exists()
    assert not (machine.disk / "data/.penates/restored").exists()


def test_one_of_three_is_killed_and_replaced(case, tmp_path):
    mapping, server = case
    where = make_plan(server)
    assert states(server, where) == ["none"] * 3
    with contextlib.ExitStack() as stack:
        machines = [Machine(stack, server, tmp_path, f"i-{number}", number, mapping,
                            HELD_AFTER if number == KILLED else None) for number in range(3)]
        agents = [machine.start(where, mapping.words) for machine in machines]
        stack.callback(lambda: [agent.kill() for agent in agents])
        kill_in_the_middle(server, where, machines[KILLED], agents[KILLED])
        machines[KILLED] = Machine(stack, server, tmp_path, "i-fresh", KILLED, mapping)
        agents[KILLED] = machines[KILLED].start(where, mapping.words)
        for agent in agents:
            result = finish(agent)
            assert result.code == 0, result.err
        told = status(server, where)
        assert [node["state"] for node in told["nodes"]] == ["restored"] * 3
    if not mapping.has_slot:
        assert told["sealed"]
        assert [(node["node"], node["claim"]["attempt"]) for node in told["nodes"]] == [
            ("i-0", 1), ("i-fresh", 2), ("i-2", 1)]
    assert sorted(machine.token() for machine in machines) == sorted(TOKENS)
    for machine in machines:
        number = TOKENS.index(machine.token())
        assert machine.files() == content(number).plain
        assert machine.imds.requests  # it asked its own
    # The rack of each is its zone's: with either mapping, a machine's token is that of its place.
    assert [TOKENS.index(machine.token()) for machine in machines] == [0, 1, 2]


def test_a_machine_reaches_nothing_but_its_own(tmp_path):
    """The proof rests on this: 127.0.0.1 of one namespace is not that of another."""
    with FakeS3() as server, contextlib.ExitStack() as stack:
        server.access_key, server.secret_key = ACCESS_KEY, SECRET_KEY
        alone = stack.enter_context(Namespace("alone"))
        Machine(stack, server, tmp_path, "i-other", 0, MAPPINGS[0])
        for port in (server.port, IMDS_PORT):
            refused = subprocess.run(
                [*alone.enter, sys.executable, "-c",
                 f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"],
                capture_output=True, text=True, check=False)
            assert "ConnectionRefusedError" in refused.stderr
