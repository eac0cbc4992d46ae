"""The templates as stacks: moto makes what it can, and what it makes boots into a ring.

No CloudFormation of Amazon's has made one yet. What moto cannot do is listed here, with why.
"""

import ast
import base64
import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import urllib.parse

import pytest
import yaml

moto = pytest.importorskip("moto", reason="tests/deploy/cloudformation.txt is not installed")
import boto3  # noqa: E402
from cfn_template import ROOT, TEMPLATES, load, of_type, parameters_of  # noqa: E402
from test_user_data import BINARY, HOSTILE, KEYS, Node, needs_root  # noqa: E402 isort: skip
from fake_s3 import FakeS3  # noqa: E402
from fake_s3.cloudformation import FakeCloudFormation, FakeWaitBucket  # noqa: E402
from fake_s3.imds import FakeIMDS  # noqa: E402
from small_backup import CLUSTER, snappy, standard  # noqa: E402

ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]
TOKENS = [str(1808575600 + k * 2**127 // 3) for k in range(3)]
SKIPPED = {  # moto warns and goes on
    "AWS::CloudFormation::WaitCondition", "AWS::CloudFormation::WaitConditionHandle",
    "AWS::EC2::SecurityGroupEgress", "AWS::Scheduler::Schedule", "AWS::S3::BucketPolicy",
    "AWS::CloudWatch::Alarm"}
# An output of a wait condition, which moto has not: it answers 500.
REPORTS = re.compile(r"^  Slot\d+Report:\n(    .*\n)+", re.MULTILINE)
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


@pytest.fixture(autouse=True)
def account(monkeypatch):
    for name, value in (("AWS_ACCESS_KEY_ID", "AKIAMOTO"), ("AWS_SECRET_ACCESS_KEY", "none"),
                        ("AWS_DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(name, value)
    with moto.mock_aws():
        yield


def network():
    """The parameters that name what has to be there before a ring."""
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = {"VpcId": vpc, "ImageId": "/penates/image"}
    for number, zone in enumerate(ZONES, 1):
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone)
        made |= {f"Rack{number}Name": zone, f"Rack{number}Zone": zone,
                 f"Rack{number}Subnet": subnet["Subnet"]["SubnetId"]}
    made["RouteTableIds"] = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    made["ClientSecurityGroup"] = ec2.create_security_group(
        GroupName="clients", Description="clients", VpcId=vpc)["GroupId"]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    boto3.client("ssm").put_parameter(Name="/penates/image", Type="String", Value=image)
    return made


def create(template, parameters, name="ring"):
    """The stack's resources and outputs, by name."""
    client = boto3.client("cloudformation")
    client.create_stack(
        StackName=name, TemplateBody=REPORTS.sub("", (TEMPLATES / template).read_text()),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value}
                    for key, value in parameters.items()])
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    resources = {one["LogicalResourceId"]: one for one in
                 client.describe_stack_resources(StackName=name)["StackResources"]
                 if "LogicalResourceId" in one}
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    return resources, outputs


def without_nothing(value):
    """AWS leaves AWS::NoValue out of a list; moto has None there."""
    if isinstance(value, list):
        return [without_nothing(one) for one in value if one is not None]
    if isinstance(value, dict):
        return {key: without_nothing(one) for key, one in value.items()}
    return value


def policy_of(resources, role="NodeRole", name="Restore"):
    document = boto3.client("iam").get_role_policy(
        RoleName=resources[role]["PhysicalResourceId"], PolicyName=name)["PolicyDocument"]
    return without_nothing(document if isinstance(document, dict) else ast.literal_eval(document))


def user_data_of(resources, slot):
    version = boto3.client("ec2").describe_launch_template_versions(
        LaunchTemplateId=resources[f"Slot{slot}Template"]["PhysicalResourceId"])
    data = version["LaunchTemplateVersions"][0]["LaunchTemplateData"]["UserData"]
    return base64.b64decode(data).decode()


def plain_ring(**more):
    return {"PlanId": "a" * 64, "StateBucket": "backups", "StatePrefix": "state/prod",
            "BackupBucket": "backups", "V2Prefix": f"backup/1049_{CLUSTER}/*",
            "SourceCluster": CLUSTER, "ClusterName": "drill", "DataCenter": "us-east",
            "CassandraVersion": "4.1"} | network() | more


# What is made


def check_all_are_made(template, resources, absent=()):
    wanted = {name for name, resource in load(template)["Resources"].items()
              if resource["Type"] not in SKIPPED and name not in absent}
    assert set(resources) == wanted


def test_a_ring_is_made_with_everything():
    resources, outputs = create("ring.yaml", plain_ring(
        V1Prefix=f"backup/us-east-1/{CLUSTER}/*", InterfaceEndpoints="yes", PeerCidr="10.1.0.0/16",
        DataVolumeGiB="100", MoreSeeds="10.1.0.10", PackageUri="s3://backups/p/penates.deb",
        PackageSha256="b" * 64, LogGroupName="ring"))
    check_all_are_made("ring.yaml", resources)
    instances = [instance for reservation in boto3.client("ec2").describe_instances()["Reservations"]
                 for instance in reservation["Instances"]]
    tags = [{tag["Key"]: tag["Value"] for tag in instance["Tags"]} for instance in instances]
    assert sorted((tag["restore.slot"], tag["restore.rack"]) for tag in tags) == [
        (str(slot), zone) for slot, zone in enumerate(ZONES)]
    assert len(outputs["Seeds"].split(",")) == 3
    assert outputs["RestoreId"].endswith("." + "a" * 64) and len(outputs["RestoreId"]) <= 128


def test_a_ring_is_made_with_nothing_but_the_needed():
    parameters = plain_ring(RouteTableIds="", ClientSecurityGroup="")
    absent = {name for name, resource in load("ring.yaml")["Resources"].items()
              if "Condition" in resource}
    resources, _ = create("ring.yaml", parameters)
    check_all_are_made("ring.yaml", resources, absent)
    sids = [statement["Sid"] for statement in policy_of(resources)["Statement"]]
    assert sids == ["ListTheBackup", "ReadTheBackup", "ReadThePlan", "Report", "ListTheReports"]


def test_a_drill_is_made():
    topic = boto3.client("sns").create_topic(Name="drills")["TopicArn"]
    resources, _ = create("restore-drill.yaml", plain_ring(
        DeleteAt="2031-01-01T04:00:00", DeleteRoleArn="arn:aws:iam::111122223333:role/cloudformation",
        TopicArn=topic))
    check_all_are_made("restore-drill.yaml", resources, {
        name for name, resource in load("restore-drill.yaml")["Resources"].items()
        if resource.get("Condition") in ("HasPeers", "HasEndpoints")})


def test_state_is_made():
    given = parameters_of(TEMPLATES / "parameters/state.json")
    given["TopicArn"] = boto3.client("sns").create_topic(Name="drills")["TopicArn"]
    resources, outputs = create("state.yaml", given, "state")
    check_all_are_made("state.yaml", resources)
    assert outputs["StateBucket"] in [
        bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]]


def test_the_operator_may_plan(s3):
    given = parameters_of(TEMPLATES / "parameters/state.json") | {
        "BackupBucket": "backups", "V2Prefix": f"backup/1049_{CLUSTER}/*", "TopicArn": ""}
    resources, outputs = create("state.yaml", given, "state")
    policy = json.dumps(policy_of(resources, "OperatorRole", "PlanAndWatch"))
    s3.policy = json.loads(policy.replace(outputs["StateBucket"], "backups"))
    s3.policy["Statement"] = [statement for statement in s3.policy["Statement"]
                              if statement["Sid"] != "ListTheState"]  # the bucket is not the backup's
    assert len(make_plan(s3, "--cluster", CLUSTER, "--format", "v2")) == 64


def test_what_moto_is_said_to_skip_is_in_use():
    assert SKIPPED == {kind for name in ("ring.yaml", "restore-drill.yaml", "state.yaml")
                       for kind in SKIPPED if of_type(load(name), kind)}


def test_the_node_may_do_what_penates_policy_prints():
    resources, _ = create("ring.yaml", plain_ring(V1Prefix=f"backup/us-east-1/{CLUSTER}/*"))
    printed = json.loads(subprocess.run(
        [BINARY, "policy", "s3://backups/backup", "--cluster", CLUSTER, "--source-region",
         "us-east-1"], capture_output=True, check=True).stdout)
    listing, reading = printed["Statement"]
    ours = {statement["Sid"]: statement for statement in policy_of(resources)["Statement"]}
    assert sorted(ours["ListTheBackup"]["Condition"]["StringLike"]["s3:prefix"]) == sorted(
        listing["Condition"]["StringLike"]["s3:prefix"])
    assert sorted(ours["ReadTheBackup"]["Resource"]) == sorted(reading["Resource"])


def test_a_large_ring_is_made(tmp_path):
    plan = json.loads((TEMPLATES / "sample-plan.json").read_text())
    plan["slots"] = [plan["slots"][k % 3] | {"slot": k} for k in range(9)]
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    with open(tmp_path / "ring.yaml", "w", encoding="utf-8") as out:
        subprocess.run([TEMPLATES / "make-ring.py", tmp_path / "plan.json"], stdout=out, check=True,
                       stderr=subprocess.DEVNULL)
    resources, _ = create(tmp_path / "ring.yaml", plain_ring())
    assert {f"Slot{slot}" for slot in range(9)} <= set(resources)


# User data


def test_user_data_is_small_and_as_cloud_init_wants_it(tmp_path):
    resources, _ = create("ring.yaml", plain_ring(
        MoreSeeds=",".join(f"10.1.{k}.10" for k in range(9)), ClusterName="x" * 63))
    text = user_data_of(resources, 0)
    assert len(text) <= 12 * 1024  # of 16: a wait condition's handle has some hundred bytes
    (tmp_path / "user-data").write_text(text)
    result = subprocess.run(["cloud-init", "schema", "--config-file", tmp_path / "user-data"],
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    # A misspelt key is fine with that check.
    assert set(yaml.safe_load(text)) == {"bootcmd", "runcmd", "write_files"}


def test_every_line_of_the_configuration_is_an_option():
    resources, _ = create("ring.yaml", plain_ring())
    conf = yaml.safe_load(user_data_of(resources, 0))["write_files"][-1]["content"]
    names = {line.split(" = ")[0] for line in conf.splitlines()}
    shown = subprocess.run([BINARY, "help", "restore"], capture_output=True, text=True, check=True)
    assert names <= set(re.findall(r"--([a-z-]+)", shown.stdout))


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


@pytest.fixture
def s3():
    """A backup of three nodes, one a rack."""
    backup = standard()
    one = dict(backup.store.objects)
    for key in one:
        backup.store.delete(key)
    for token, zone in zip(TOKENS, ZONES):
        for key, thing in one.items():
            data = thing.body.data
            if "META_V2" in key:
                text = backup.manifest().replace(b"/1808575600/", f"/{token}/".encode())
                data = snappy(text.replace(b"us-east-1c", zone.encode()))
            backup.store.put(key.replace("/1808575600/", f"/{token}/"), data)
    with FakeS3(backup.store) as server:
        server.keys[KEYS[0]] = (KEYS[1], KEYS[2], None)
        yield server


def make_plan(s3, *args):
    """Its id; it lies in the state bucket."""
    env = dict(os.environ, AWS_ACCESS_KEY_ID=KEYS[0], AWS_SECRET_ACCESS_KEY=KEYS[1],
               AWS_SESSION_TOKEN=KEYS[2])
    result = subprocess.run(
        [BINARY, "ring", "plan", "s3://backups/backup", "--state", "s3://backups/state/prod",
         "--endpoint", s3.endpoint, "--path-style", "--region", "us-east-1", "--json", *args],
        env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)["id"]


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
