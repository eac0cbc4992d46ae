"""Signals to what others have written: the stacks of a public AWS fake, which waits, publishes and
fails as CloudFormation does, and the identity that AWS's own metadata mock gives."""

import json
import pathlib
import tempfile
import time
import urllib.request

import pytest
from conftest import SECRET_KEY, SESSION_TOKEN, penates, source_args
from fake_s3 import FakeS3, Fault
from fake_s3.cloudformation import FakeCloudFormation
from fake_s3.server import ACCESS_KEY
from real_servers import ec2_mock
from real_servers.ministack import MiniStack
from small_backup import TOKEN, standard

TEMPLATE = json.dumps({"Resources": {
    "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
    "Nodes": {"Type": "AWS::CloudFormation::WaitCondition", "DependsOn": "Handle",
              "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT5M"}}},
    "Restored": {"Type": "AWS::CloudFormation::WaitCondition", "DependsOn": "Nodes",
                 "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "300", "Count": 1}}},
    "Outputs": {"NodeReports": {"Value": {"Fn::GetAtt": ["Restored", "Data"]}}}})


@pytest.fixture(scope="module")
def ministack():
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        with MiniStack(pathlib.Path(folder)) as server:
            yield server


def wait_for(check):
    deadline = time.monotonic() + 120
    while not (found := check()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


class Stack:
    def __init__(self, server, name):
        self.cfn = server.client("cloudformation", *server.ROOT)
        self.arn = self.cfn.create_stack(StackName=name, TemplateBody=TEMPLATE,
                                         OnFailure="DO_NOTHING")["StackId"]
        wait_for(lambda: ("Nodes", "CREATE_IN_PROGRESS", None) in self.events())
        handle = self.cfn.describe_stack_resource(StackName=self.arn, LogicalResourceId="Handle")
        # Its handles are no presigned URLs; a query is.
        self.url = (handle["StackResourceDetail"]["PhysicalResourceId"] + "?Signature=x")
        self.server = server

    def allow(self):
        """As penates policy has it, to the user that may only read."""
        policy = penates("policy", "s3://b/x", "--cluster", "x", "--stack", self.arn,
                         "--signal-auth", "sigv4").json
        policy["Statement"] = policy["Statement"][-1:]
        self.server.client("iam", *self.server.ROOT).put_user_policy(
            UserName="restorer", PolicyName="signal", PolicyDocument=json.dumps(policy))
        return self

    def events(self):
        events = self.cfn.describe_stack_events(StackName=self.arn)["StackEvents"]
        return [(event["LogicalResourceId"], event["ResourceStatus"],
                 event.get("ResourceStatusReason") or None) for event in events]

    def ended(self):
        def look():
            (stack,) = self.cfn.describe_stacks(StackName=self.arn)["Stacks"]
            return stack if not stack["StackStatus"].endswith("IN_PROGRESS") else None

        return wait_for(look)

    def restore(self, source, into, *args):
        return penates("restore", *source_args(source), "--into", into, "--stack", self.arn,
                       "--stack-resource", "Nodes", "--signal-auth", "sigv4", "--wait-handle",
                       self.url, *args, env=self.env)

    @property
    def env(self):
        return {"AWS_ENDPOINT_URL_CLOUDFORMATION": self.server.endpoint,
                "AWS_ACCESS_KEY_ID": self.server.access_key,
                "AWS_SECRET_ACCESS_KEY": self.server.secret_key}


@pytest.fixture
def source(ministack):
    """A backup that the credentials of the stack may read, too."""
    with FakeS3(standard().store) as server:
        server.keys[ministack.access_key] = (ministack.secret_key, None, None)
        yield server


def test_a_stack_that_is_complete_has_its_data(ministack, source, tmp_path):
    stack = Stack(ministack, "complete").allow()
    result = stack.restore(source, tmp_path / "data")
    assert result.code == 0, result.err
    ended = stack.ended()
    assert ended["StackStatus"] == "CREATE_COMPLETE"
    (output,) = ended["Outputs"]
    (data,) = json.loads(output["OutputValue"]).values()
    assert json.loads(data)["token"] == TOKEN and json.loads(data)["files"] == 15
    again = stack.restore(source, tmp_path / "data")
    assert again.code == 0 and "is not waited for any more" in again.err


def test_a_wrong_parameter_fails_the_stack_with_its_reason(ministack, source, tmp_path):
    stack = Stack(ministack, "wrong").allow()
    result = stack.restore(source, tmp_path / "data", "--at", "yesterday")
    assert result.code == 64
    assert stack.ended()["StackStatus"] == "CREATE_FAILED"


def test_a_failure_after_the_first_step_shows_in_the_events(ministack, source, tmp_path):
    source.faults.append(Fault(key="nb-2-big-Data.db", flip_at=100, times=None))
    stack = Stack(ministack, "corrupt").allow()
    result = stack.restore(source, tmp_path / "data")
    assert result.code == 65, result.err
    assert stack.ended()["StackStatus"] == "CREATE_FAILED"
    line = result.error.removeprefix("penates: error: ")
    assert any(line[:100] in (reason or "") for _, _, reason in stack.events())


def test_keys_that_may_not(ministack):
    """A policy names one stack, and not this one."""
    stack = Stack(ministack, "keys")
    result = penates("signal", "--stack", stack.arn, "--stack-resource", "Nodes", "--signal-auth",
                     "sigv4", env={**stack.env, "AWS_SECRET_ACCESS_KEY": "wrong"})
    assert result.code == 77, result.err
    denied = penates("signal", "--stack", stack.arn, "--stack-resource", "Nodes", "--signal-auth",
                     "sigv4", env=stack.env)
    assert denied.code == 77 and "penates policy --stack ARN" in denied.error
    stack.allow()
    assert penates("signal", "--stack", stack.arn, "--stack-resource", "Nodes", "--signal-auth",
                   "sigv4", "--unique-id", "i-1", env=stack.env).code == 0
    wait_for(lambda: ("Nodes", "CREATE_COMPLETE", None) in stack.events())


def read(endpoint, path):
    put = urllib.request.Request(f"{endpoint}/latest/api/token", method="PUT",
                                 headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    token = urllib.request.urlopen(put).read().decode()
    get = urllib.request.Request(f"{endpoint}/latest/{path}",
                                 headers={"X-aws-ec2-metadata-token": token})
    return urllib.request.urlopen(get).read()


@pytest.mark.skipif(ec2_mock.find() is None, reason="no ec2-metadata-mock, for there is no go")
def test_identity_of_the_metadata_mock_of_aws(tmp_path):
    """Its document has several lines, and goes out as it is."""
    stack = "arn:aws:cloudformation:us-east-1:111122223333:stack/prod/1"
    with ec2_mock.Ec2Mock(tmp_path, ACCESS_KEY, SECRET_KEY, SESSION_TOKEN) as imds:
        identity = tuple(read(imds.endpoint, f"dynamic/instance-identity/{name}")
                         for name in ("document", "signature"))
        node = read(imds.endpoint, "meta-data/instance-id").decode()
        document = json.loads(identity[0])
        assert "\n" in identity[0].decode() and document["instanceId"]
        with FakeCloudFormation({stack: {"Nodes": "CREATE_IN_PROGRESS"}}, identity=identity,
                                members=[document["instanceId"]]) as cfn:
            result = penates("signal", "--stack", stack, "--stack-resource", "Nodes",
                             "--unique-id", document["instanceId"], env={
                                 "AWS_EC2_METADATA_DISABLED": None,
                                 "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.endpoint,
                                 "AWS_ENDPOINT_URL_CLOUDFORMATION": cfn.endpoint})
            assert result.code == 0, result.err
            assert [how for how, _ in cfn.asked] == ["CFN_V1"] and cfn.signals
            assert node.startswith("i-")
