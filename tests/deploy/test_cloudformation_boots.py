"""What moto makes of the templates boots into a ring: user data as cloud-init runs it, with the rights
of the node's role and no others, and signals to strict fakes of CloudFormation."""

import base64
import contextlib
import hashlib
import json
import re
import shlex
import shutil
import urllib.parse

import pytest
import yaml
from cfn_template import ROOT
from test_cloudformation_stacks import (  # noqa: F401
    TOKENS, ZONES, account, create, make_plan, plain_ring, policy_of, s3, user_data_of)
from test_user_data import HOSTILE, KEYS, Node, needs_root  # isort: skip
from fake_s3.cloudformation import FakeCloudFormation, FakeWaitBucket
from fake_s3.imds import FakeIMDS
from small_backup import standard

YAML = """\
cluster_name: 'Test Cluster'
num_tokens: 16
# initial_token:
seed_provider:
    # Addresses of hosts that are deemed contact points.
    - class_name: org.apache.cassandra.locator.SimpleSeedProvider
      parameters:
          - seeds: "127.0.0.1:7000"

listen_address: localhost
# listen_interface: eth0
broadcast_address: 1.2.3.4
rpc_address: localhost
endpoint_snitch: SimpleSnitch
data_file_directories:
- /var/lib/cassandra/data
"""


class Ears:
    """What hears how nodes fare: the resource of each slot, and its wait condition."""

    def __init__(self, stack):
        self.cfn = stack.enter_context(FakeCloudFormation({}))
        self.waits = [stack.enter_context(FakeWaitBucket()) for _ in ZONES]
        self.urls = [wait.url() for wait in self.waits]

    def told(self, slot):
        """(what the resource was told, what the condition was)"""
        return ([status for name, _, status in self.cfn.signals if name == f"Slot{slot}"],
                [put["Status"] for put in self.waits[slot].puts])

    def reason(self, slot=0):
        (put,) = self.waits[slot].puts
        assert put["Status"] == "FAILURE"
        return put["Reason"]


@pytest.fixture
def ears():
    with contextlib.ExitStack() as stack:
        yield Ears(stack)


def power_on(node, *lines):
    """Nothing of it tells the signature of its handle; its configuration has that."""
    node.ears.cfn.identity = node.imds.identity = node.identity
    result = node.run("/bin/sh", "-eu", text="\n".join([*node.exports, *lines]) + "\n")
    told = [result.stdout, result.stderr, *(
        path.read_bytes().decode(errors="replace") for path in node.home.rglob("*")
        if path.is_file() and path.name != "penates.conf" and "layer" not in path.parts)]
    told += [thing.body.data.decode(errors="replace")
             for key, thing in node.s3.store.objects.items() if key.startswith("state/")]
    secret = urllib.parse.parse_qs(node.url)["Signature"][0]
    for text in told:
        for word in (secret, urllib.parse.quote(secret, safe=""), "AWSAccessKeyId",
                     node.identity[1].decode()):
            assert word not in text
    return result


def start_up(node, user_data):
    """A first boot: what cloud-init does before the services, the services, and what after."""
    (arn,) = re.findall(r"^ *stack = (\S+)$", user_data, re.MULTILINE)
    node.ears.cfn.stacks.setdefault(arn, {f"Slot{k}": "CREATE_IN_PROGRESS" for k in range(3)})
    config = yaml.safe_load(user_data.replace(f"${{Slot{node.slot}Handle}}", node.url))
    script = [shlex.join(command) for command in config["bootcmd"]]
    for file in config["write_files"]:
        packed = base64.b64encode(file["content"].encode()).decode()
        path = shlex.quote(file["path"])
        script.append(f"mkdir -p $(dirname {path}) && echo {packed} | base64 -d >{path}")
    return power_on(node, *script, "systemctl boot",
                    *(shlex.join(command) for command in config["runcmd"]))


def new_node(path, s3, imds, ears, slot=0):
    imds.words |= {"tags/instance/restore.slot": str(slot), "placement/availability-zone": ZONES[slot],
                   "instance-id": f"i-{path.name}"}
    node = Node(path, s3, imds)
    # An image as it comes: Cassandra starts at boot, and penates is there but not enabled.
    (node.root / "etc/systemd/system/multi-user.target.wants/penates-restore.service").unlink()
    (node.root / "etc/cassandra/cassandra.yaml").write_text(YAML)
    (node.root / "etc/cassandra/cassandra-topology.properties").write_text("default=DC1:r1\n")
    shutil.copy(ROOT / "deploy/user-data/cassandra-config", path / "layer/lib/penates")
    node.ears, node.slot, node.url = ears, slot, ears.urls[slot]
    document = json.dumps({"instanceId": f"i-{path.name}", "region": "us-east-1"}).encode()
    node.identity = document, base64.b64encode(hashlib.sha256(document).digest())
    ears.cfn.members.add(f"i-{path.name}")
    node.exports = [f"export AWS_ENDPOINT_URL_S3={s3.endpoint} BOOT_STORE={s3.endpoint}/backups",
                    f"export AWS_ENDPOINT_URL_CLOUDFORMATION={ears.cfn.endpoint}"]
    return node


def boot_again(node, *commands):
    return power_on(node, *commands, "systemctl boot")


@pytest.fixture
def node(tmp_path, s3, ears):
    with FakeIMDS(KEYS) as imds:
        yield new_node(tmp_path / "node", s3, imds, ears)


def fetched(s3):
    """Of the data: what was asked for and given."""
    return [one.key for one in s3.requests
            if one.kind == "get" and "SST_V2" in one.key and one.status in (200, 206)]


@needs_root
def test_a_stack_comes_up_as_a_ring(tmp_path, s3, ears):
    """With the rights of its role and no others."""
    resources, outputs = create("ring.yaml", plain_ring(PlanId=make_plan(s3)))
    s3.policy = policy_of(resources)
    seeds = outputs["Seeds"].split(",")
    for slot, zone in enumerate(ZONES):
        with FakeIMDS(KEYS) as imds:
            node = new_node(tmp_path / str(slot), s3, imds, ears, slot)
            result = start_up(node, user_data_of(resources, slot))
            assert result.returncode == 0, result.stderr + node.log("unit")
            assert ears.told(slot) == (["SUCCESS"], ["SUCCESS"])
            assert json.loads(ears.waits[slot].puts[0]["Data"])["slot"] == slot
            assert node.stamp()["nodes"][0]["token"] == TOKENS[slot], node.log("unit")
            assert node.log("systemctl").count("cassandra is up") == 1
            config = yaml.safe_load((node.root / "etc/cassandra/cassandra.yaml").read_text())
            properties = (node.root / "etc/cassandra/cassandra-rackdc.properties").read_text()
            stamp, asked = node.stamp(), len(s3.requests)
            boot_again(node)
            assert node.is_up and node.stamp() == stamp
            assert list(ears.waits[slot].signals) == [f"i-{slot}"]  # said again, it counts once
            assert not any("SST_V2" in one.key for one in s3.requests[asked:])
        assert config == {
            "cluster_name": "drill", "num_tokens": 1, "auto_bootstrap": False,
            "initial_token": config["initial_token"],
            "seed_provider": [{"class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                               "parameters": [{"seeds": ",".join(seeds)}]}],
            "listen_address": seeds[slot], "rpc_address": seeds[slot],
            "endpoint_snitch": "GossipingPropertyFileSnitch",
            "data_file_directories": ["/var/lib/cassandra/data"]}
        assert str(config["initial_token"]) == TOKENS[slot]
        assert properties == f"dc=us-east\nrack={zone}\n"
        assert not (node.root / "etc/cassandra/cassandra-topology.properties").exists()
        assert {str(path.relative_to(node.volume / "data")): path.read_bytes()
                for path in (node.volume / "data").rglob("*")
                if path.is_file() and ".penates" not in path.parts} == standard().plain
    told = [json.loads(s3.store.objects[f"state/prod/nodes/{outputs['RestoreId']}/{slot}.json"]
                       .body.data)["state"] for slot in range(3)]
    assert set(told) <= {"restored", "already-restored"}


@needs_root
def test_an_instance_that_replaces_a_restored_one_restores_nothing(tmp_path, node, s3):
    """A group does so by itself, however long the ring has been live."""
    resources, _ = create("ring.yaml", plain_ring(PlanId=make_plan(s3)))
    s3.policy = policy_of(resources)
    assert start_up(node, user_data_of(resources, 0)).returncode == 0
    assert node.is_up
    other = new_node(tmp_path / "other", s3, node.imds, node.ears)
    start_up(other, user_data_of(resources, 0))
    assert "failed penates-restore.service 78" in other.log("systemctl")
    assert "slot 0: was restored before" in other.log("unit")
    assert not other.is_up


@needs_root
@pytest.mark.parametrize("bad, code, reason", [
    ({"Bandwidth": "fast"}, 64, "bandwidth"),
    ({"PlanId": "b" * 64}, 66, "plan"),
    ({"StatePrefix": "state/none"}, 66, "plan"),
    ({"CassandraVersion": "3.0"}, 78, "Cassandra"),
    ({"V2Prefix": "backup/1049_other/*"}, 77, "AccessDenied"),
], ids=["Bandwidth", "PlanId", "StatePrefix", "CassandraVersion", "V2Prefix"])
def test_a_bad_parameter_fails_the_stack_before_a_byte(node, s3, ears, bad, code, reason):
    resources, _ = create("ring.yaml", plain_ring(**{"PlanId": make_plan(s3), **bad}))
    s3.policy = policy_of(resources)
    s3.requests.clear()
    start_up(node, user_data_of(resources, 0))
    assert f"failed penates-restore.service {code}" in node.log("systemctl"), node.log("unit")
    assert ears.told(0) == (["FAILURE"], ["FAILURE"]) and reason in ears.reason()
    assert not fetched(s3) and not node.is_up and not any((node.volume / "data").iterdir())


@needs_root
def test_a_template_of_another_size_than_the_plan_restores_nothing(node, s3, ears):
    plan = make_plan(s3)
    resources, _ = create("ring.yaml", plain_ring(PlanId=plan))
    start_up(node, user_data_of(resources, 0).replace("ring-size = 3", "ring-size = 6"))
    assert "failed penates-restore.service 78" in node.log("systemctl")
    assert ears.told(0) == (["FAILURE"], ["FAILURE"])
    assert not node.is_up and not fetched(s3)


@needs_root
def test_a_node_in_the_zone_of_another_rack_restores_nothing(node, s3, ears):
    resources, _ = create("ring.yaml", plain_ring(PlanId=make_plan(s3)))
    node.imds.words["placement/availability-zone"] = ZONES[2]
    start_up(node, user_data_of(resources, 0))
    assert "failed penates-restore.service 78" in node.log("systemctl")
    assert ears.told(0) == (["FAILURE"], ["FAILURE"])
    assert not node.is_up and not fetched(s3)


@needs_root
def test_cassandra_waits_where_it_is_told_to(node, s3):
    resources, _ = create("ring.yaml", plain_ring(PlanId=make_plan(s3), StartCassandra="no"))
    assert start_up(node, user_data_of(resources, 0)).returncode == 0
    assert node.stamp() and not node.is_up
    result = boot_again(node, "touch /etc/penates/start-cassandra")
    assert result.returncode == 0 and node.is_up


@needs_root
def test_values_that_got_past_the_patterns_are_text(node, s3):
    """moto does not look at AllowedPattern."""
    names = ["ClusterName", "DataCenter", "Rack1Name", "CassandraVersion", "StatePrefix",
             "ExternalId", "Bandwidth"]
    assert len(names) == len(HOSTILE)
    resources, _ = create("ring.yaml", plain_ring(
        PlanId=make_plan(s3), **dict(zip(names, HOSTILE))))
    result = start_up(node, user_data_of(resources, 0))
    assert result.returncode == 0, result.stderr
    node.run("/bin/sh", "-eu", text="[ ! -e /tmp/harm ] || echo harmed >>/var/log/harm\n")
    assert not (node.root / "var/log/harm").exists() and not (node.root / "tmp/harm").exists()
    config = yaml.safe_load((node.root / "etc/cassandra/cassandra.yaml").read_text())
    assert config["cluster_name"] == HOSTILE[0] and not node.is_up
    conf = (node.root / "etc/penates/penates.conf").read_text()
    assert f"external-id = {HOSTILE[5]}\n" in conf and f"bandwidth = {HOSTILE[6]}\n" in conf


# The package


def package(node, s3):
    """The image loses penates; a package brings it back. Its SHA-256."""
    layer, units = node.home / "layer", node.home / "layer/lib/systemd/system"
    content = b"as good as a package\n"
    s3.store.put("p/penates_1_amd64.deb", content)
    spare = node.root / "opt"
    for path in ("bin/penates", "lib/penates", "lib/systemd/system"):
        (spare / path).parent.mkdir(parents=True, exist_ok=True)
        (layer / path).rename(spare / path)
    units.mkdir(parents=True)
    fake = layer / "bin/dpkg"
    fake.write_text('#!/bin/sh\nset -eu\n[ "$1" = --install ]\ncmp "$2" /opt/content\n'
                    "cp -a /opt/bin /opt/lib /usr/\n")
    fake.chmod(0o755)
    (spare / "content").write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def with_package(s3, digest, **more):
    return plain_ring(PlanId=make_plan(s3), PackageUri="s3://backups/p/penates_1_amd64.deb",
                      PackageSha256=digest) | more


@needs_root
def test_the_package_is_fetched_checked_and_installed(node, s3):
    resources, _ = create("ring.yaml", with_package(s3, package(node, s3)))
    s3.policy = policy_of(resources)
    result = start_up(node, user_data_of(resources, 0))
    assert result.returncode == 0, result.stderr + node.log("unit")
    assert "masked cassandra.service" in node.log("systemctl")  # until the package was there
    assert node.stamp() and node.is_up
    (got,) = [one for one in s3.requests if one.key == "p/penates_1_amd64.deb"]
    assert "authorization" in got.headers
    for secret in KEYS[1:]:
        assert secret not in result.stdout + result.stderr


@needs_root
@pytest.mark.parametrize("break_it, reason", [
    (lambda s3: s3.store.put("p/penates_1_amd64.deb", b"another one\n"), "not the one of PackageSha256"),
    (lambda s3: s3.store.delete("p/penates_1_amd64.deb"), "no package could be fetched"),
])
def test_a_wrong_package_fails_the_stack_with_its_reason(node, s3, ears, break_it, reason):
    resources, _ = create("ring.yaml", with_package(s3, package(node, s3)))
    break_it(s3)
    result = start_up(node, user_data_of(resources, 0))
    assert result.returncode != 0 and not node.is_up
    assert reason in ears.reason() and "slot 0" in ears.reason()


@needs_root
def test_an_image_without_penates_fails_the_stack_with_its_reason(node, s3, ears):
    package(node, s3)
    resources, _ = create("ring.yaml", plain_ring(PlanId=make_plan(s3)))
    assert start_up(node, user_data_of(resources, 0)).returncode != 0
    assert "the image has no penates" in ears.reason() and not node.is_up
