"""`penates policy` is held against what the runs really ask: the fake lets through what the printed
policy allows, and nothing else."""

import copy
import dataclasses

import pytest
from conftest import DATA, penates
from fake_s3 import FakeS3, Store, tree_store
from fake_s3.policy import allows
from test_versions import BETWEEN, versioned

CLUSTERS = {"priam-v1": "fix_v1", "priam-v2": "fix_v2"}


def printed(source, *selection):
    result = penates("policy", source, *selection)
    assert result.code == 0, result.err
    return result.json


@dataclasses.dataclass
class World:
    """A backup below some base, a selection of it, and the policy printed for that."""
    server: FakeS3
    base: str
    selection: list

    @property
    def source(self):
        return f"s3://{self.server.bucket}" + (f"/{self.base}" if self.base else "")

    def printed(self, *more):
        return printed(self.source, *self.selection, *more)

    def run(self, command, policy, *args):
        self.server.policy = policy
        return penates(command, self.source, "--endpoint", self.server.endpoint, "--path-style",
                       *self.selection, *args)


def moved(store, base):
    """The same objects below another base."""
    other = Store()
    for key, thing in store.objects.items():
        other.objects[(f"{base}/" if base else "") + key.removeprefix("backup/")] = thing
    return other


def worlds():
    for fixture, cluster in CLUSTERS.items():
        dialect = fixture[-2:]
        yield fixture, "backup", []
        yield fixture, "backup", ["--cluster", cluster]
        yield fixture, "backup", ["--cluster", cluster, "--format", dialect]
        yield fixture, "", ["--cluster", cluster]
        yield fixture, "a*b?c$ d\u00e9/x", ["--cluster", cluster, "--format", dialect]
    yield "priam-v1", "backup", ["--cluster", "fix_v1", "--source-region", "us-east-1"]
    yield "priam-v1", "backup", ["--source-region", "us-east-1", "--format", "v1"]


@pytest.fixture(params=list(worlds()), ids=lambda p: f"{p[0][-2:]}-{p[1][:6]}-{'-'.join(p[2])}")
def world(request):
    fixture, base, selection = request.param
    with FakeS3(moved(tree_store(DATA / fixture), base)) as server:
        yield World(server, base, selection)


def test_it_is_enough(world, tmp_path):
    policy = world.printed()
    for command, args in (("list", []), ("plan", []), ("verify", ["--sample", "10%"]),
                          ("restore", ["--into", tmp_path / "data"])):
        result = world.run(command, policy, *args)
        assert result.code == 0, f"{command}: {result.err}"


def reduced(policy):
    """Every policy that lacks one statement, or one entry of one list."""
    for index, statement in enumerate(policy["Statement"]):
        less = copy.deepcopy(policy)
        del less["Statement"][index]
        yield f"without {statement['Sid']}", less
        for path in (["Resource"], ["Condition", "StringLike", "s3:prefix"]):
            entries = statement
            for name in path:
                entries = entries.get(name, {})
            for at in range(len(entries) if isinstance(entries, list) else 0):
                less = copy.deepcopy(policy)
                inner = less["Statement"][index]
                for name in path:
                    inner = inner[name]
                yield f"{statement['Sid']} without {inner.pop(at)}", less


@pytest.mark.parametrize("fixture, more", [
    ("priam-v1", ["--format", "v1"]),
    ("priam-v1", ["--format", "v1", "--source-region", "us-east-1"]),
    ("priam-v2", ["--format", "v2"]),
])
def test_it_is_no_more(fixture, more):
    """Each part of it is missed by a run, which ends with a denial that names it."""
    with FakeS3(tree_store(DATA / fixture)) as server:
        world = World(server, "backup", ["--cluster", CLUSTERS[fixture], *more])
        seen = 0
        for what, less in reduced(world.printed()):
            result = world.run("verify", less, "--sample", "10%")
            assert result.code == 77, f"{what}: {result.err}"
            assert "no identity-based policy allows it: arn:aws:iam::123456789012:user/restorer " \
                   "was refused s3:" in result.error
            seen += 1
        assert seen >= 4


@pytest.mark.parametrize("selection", [
    ["--cluster", "other", "--format", "v2"],
    ["--cluster", "fix_v2", "--format", "v1", "--source-region", "us-east-1"],
])
def test_nothing_there(selection):
    """What the selection takes may be listed, and is empty: that is no denial."""
    with FakeS3(tree_store(DATA / "priam-v2")) as server:
        world = World(server, "backup", selection)
        result = world.run("list", world.printed())
        assert result.code == 66, result.err
        assert "no Priam backup" in result.error and "AccessDenied" not in result.error
        assert "--cluster" in result.error
        result = world.run("doctor", world.printed(), "--json")
        assert result.code == 66, result.err
        assert {c["name"]: c["state"] for c in result.json["checks"]}["list"] == "warned"


def test_versions_and_thawing(tmp_path):
    """Only with these options it allows what they need."""
    fixture = DATA / "priam-v2"
    store = versioned(tree_store(fixture))
    with FakeS3(store) as server:
        world = World(server, "backup", ["--cluster", "fix_v2", "--format", "v2"])
        at = ["--source-version-at", BETWEEN]
        policy = world.printed(*at)
        for command, args in (("list", []), ("restore", ["--into", tmp_path / "data"])):
            result = world.run(command, policy, *at, *args)
            assert result.code == 0, result.err
        refused = world.run("list", world.printed(), *at)
        assert refused.code == 77
        assert "was refused s3:ListBucketVersions on" in refused.error
        policy["Statement"][1]["Action"] = "s3:GetObject"
        refused = world.run("verify", policy, *at)
        assert refused.code == 77
        assert "was refused s3:GetObjectVersion on" in refused.error
    assert any(s["Action"] == "s3:RestoreObject" for s in world.printed("--thaw", "1")["Statement"])
    assert "RestoreObject" not in str(world.printed())


@pytest.mark.parametrize("env, partition", [
    ({"AWS_REGION": None, "AWS_DEFAULT_REGION": "cn-north-1"}, "aws-cn"),
    ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "cn-north-1"}, "aws-cn"),
    ({"AWS_REGION": "us-gov-west-1", "AWS_DEFAULT_REGION": "cn-north-1"}, "aws-us-gov"),
])
def test_partition_of_the_region(env, partition):
    """The region is found where the client finds it."""
    result = penates("policy", "s3://backups/backup", env=env)
    assert result.code == 0, result.err
    assert result.json["Statement"][0]["Resource"] == f"arn:{partition}:s3:::backups"


def test_role():
    role = "arn:aws:iam::123456789012:role/restore"
    result = penates("policy", "s3://backups/backup", "--role-arn", role)
    assert result.code == 0, result.err
    assert allows(result.json, "sts:AssumeRole", role, {})
    assert not allows(result.json, "sts:AssumeRole", role + "r", {})
    assert "for the caller" in result.err


def test_other_clusters_stay_closed():
    policy = printed("s3://backups/backup", "--cluster", "fix_v2")
    bucket = "arn:aws:s3:::backups"
    assert allows(policy, "s3:GetObject", f"{bucket}/backup/-4266_fix_v2/1/x", {})
    for key in ("backup/1_fix_v2/1/x", "backup/-4266_fix_v22/1/x", "other", "backup"):
        assert not allows(policy, "s3:GetObject", f"{bucket}/{key}", {})
    for action in ("s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:GetObjectVersion"):
        assert not allows(policy, action, f"{bucket}/backup/-4266_fix_v2/1/x", {})
    for prefix in ({}, {"s3:prefix": ""}, {"s3:prefix": "backup"}, {"s3:prefix": "other/"}):
        assert not allows(policy, "s3:ListBucket", bucket, prefix)
