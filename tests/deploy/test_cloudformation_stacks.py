"""The templates as stacks: moto makes what it can (test_cloudformation_boots.py boots that).

No CloudFormation of Amazon's has made one yet. What moto cannot do is listed here, with why.
"""

import ast
import base64
import json
import os
import re
import subprocess

import pytest
import yaml

moto = pytest.importorskip("moto", reason="tests/deploy/cloudformation.txt is not installed")
import boto3  # noqa: E402
from cfn_template import TEMPLATES, load, of_type, parameters_of  # noqa: E402
from test_user_data import BINARY, KEYS  # noqa: E402 isort: skip
from fake_s3 import FakeS3  # noqa: E402
from small_backup import CLUSTER, snappy, standard  # noqa: E402

ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]
TOKENS = [str(1808575600 + k * 2**127 // 3) for k in range(3)]
SKIPPED = {  # moto warns and goes on
    "AWS::CloudFormation::WaitCondition", "AWS::CloudFormation::WaitConditionHandle",
    "AWS::EC2::SecurityGroupEgress", "AWS::Scheduler::Schedule", "AWS::S3::BucketPolicy",
    "AWS::CloudWatch::Alarm"}
# An output of a wait condition, which moto has not: it answers 500.
REPORTS = re.compile(r"^  Slot\d+Report:\n(    .*\n)+", re.MULTILINE)


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


