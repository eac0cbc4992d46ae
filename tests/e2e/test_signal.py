"""A CloudFormation stack is told how the node fares: `penates signal`, and the two steps of a
restore. The servers are strict fakes; test_signal_real.py has others."""

import dataclasses
import json
import os
import pty
import signal
import socket
import time

import pytest
from conftest import SANITIZED, SECRET_KEY, SESSION_TOKEN, finish, penates, source_args, start
from fake_s3 import FakeS3, Fault
from fake_s3.cloudformation import FakeCloudFormation, FakeWaitBucket
from fake_s3.imds import FakeIMDS
from fake_s3.proxy import Proxy
from fake_s3.server import ACCESS_KEY
from small_backup import TOKEN, standard
from test_cli import check_schema

NODE = "i-0123456789abcdef0"
STACK = "arn:aws:cloudformation:us-east-1:111122223333:stack/prod-ring/6d3c0f10-ec4b-11ee-9d2f-0e"
# Blanks at its ends and in it count for the signature; the signature comes in lines.
DOCUMENT = json.dumps({"accountId": "111122223333", "instanceId": NODE, "region": "us-east-1"},
                      indent=2).encode() + b"\n"
IDENTITY = (DOCUMENT, b"c2lnbmF0dXJl\nb2YgdGhlIGlkZW50aXR5\nZG9jdW1lbnQ=")
SOON = ("--retry-for", "1s")  # where nothing is going to answer


@dataclasses.dataclass
class World:
    s3: FakeS3
    imds: FakeIMDS
    stack: FakeCloudFormation
    wait: FakeWaitBucket
    url: str

    @property
    def env(self):
        return {"AWS_EC2_METADATA_DISABLED": None,
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.imds.endpoint,
                "AWS_ENDPOINT_URL_CLOUDFORMATION": self.stack.endpoint}

    def run(self, *args, env=None, **options):
        result = penates(*args, env={**self.env, **(env or {})}, **options)
        self.check_nothing_leaks(result.out + result.err)
        return result

    def signal(self, *args, **options):
        return self.run("signal", *args, **options)

    def restore(self, into, *args, **options):
        return self.run("restore", *source_args(self.s3), "--into", into, *self.both, *args,
                        **options)

    @property
    def resource(self):
        return "--stack", STACK, "--stack-resource", "Nodes"

    @property
    def both(self):
        return *self.resource, "--wait-handle", self.url

    def check_nothing_leaks(self, text):
        check_nothing_leaks(self.url, text)

    @property
    def told(self):
        """(what the resource was told, what the condition was)"""
        return ([status for _, _, status in self.stack.signals],
                [put["Status"] for put in self.wait.puts])


def check_nothing_leaks(url, text):
    query = url.partition("?")[2]
    secrets = [IDENTITY[1].decode().split("\n")[0], "CFN_V1", "Signature=", "AWSAccessKeyId"]
    for secret in secrets + [part.partition("=")[2] for part in query.split("&")]:
        assert secret not in text, "a secret was printed"


@pytest.fixture(scope="module")
def backup():
    with FakeS3(standard().store) as server:
        yield server


@pytest.fixture
def world(backup):
    stacks = {STACK: {"Nodes": "CREATE_IN_PROGRESS"}}
    backup.faults.clear()
    with FakeIMDS((ACCESS_KEY, SECRET_KEY, SESSION_TOKEN)) as imds, \
            FakeCloudFormation(stacks, members=[NODE], identity=IDENTITY, callers={
                ACCESS_KEY: (SECRET_KEY, None, None)}) as stack, FakeWaitBucket() as wait:
        imds.identity = IDENTITY
        imds.words["instance-id"] = NODE
        imds.words["services/domain"] = "amazonaws.com"
        yield World(backup, imds, stack, wait, wait.url())


def closed_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


# The command


def test_resource_by_the_identity_of_the_instance(world):
    result = world.signal(*world.resource)
    assert result.code == 0, result.err
    assert world.stack.signals == [("Nodes", NODE, "SUCCESS")]
    (how, fields), = world.stack.asked
    assert how == "CFN_V1" and fields["StackName"] == STACK
    assert world.signal(*world.resource, "--status", "failure").code == 0
    assert world.stack.signals[1] == ("Nodes", NODE, "FAILURE")
    assert not world.wait.puts


def test_names_come_from_the_tags(world):
    world.imds.words["tags/instance/aws:cloudformation:stack-id"] = STACK
    world.imds.words["tags/instance/aws:cloudformation:logical-id"] = "Nodes"
    assert world.signal().code == 0
    assert world.stack.signals == [("Nodes", NODE, "SUCCESS")]


@pytest.mark.parametrize("words, why", [
    ({}, "the stack to signal is not known; give --stack"),
    ({"stack-id": STACK}, "the resource to signal is not known; give --stack-resource"),
    ({"stack-id": "what/ever", "logical-id": "Nodes"}, "the tags of the instance name no stack"),
])
def test_tags_that_do_not_say(world, words, why):
    world.imds.words.update({f"tags/instance/aws:cloudformation:{k}": v for k, v in words.items()})
    result = world.signal()
    assert result.code == 64 and why in result.error
    assert not world.stack.asked


def test_resource_by_credentials(world):
    result = world.signal("--stack", "prod-ring", "--stack-resource", "Nodes", "--signal-auth",
                          "sigv4", "--unique-id", "node-7")
    assert result.code == 0, result.err
    assert world.stack.signals == [("Nodes", "node-7", "SUCCESS")]
    assert [how for how, _ in world.stack.asked] == ["SigV4"]


def test_a_role_of_the_backup_does_not_sign_for_the_stack(world, tmp_path):
    """Whom the restore acts for in another account is nobody to this one's stack."""
    result = world.restore(tmp_path / "data", "--signal-auth", "sigv4", "--role-arn",
                           "arn:aws:iam::444455556666:role/dr", *SOON,
                           env={"AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{closed_port()}"})
    assert result.code == 69
    assert not world.stack.signals  # 69 is not for good; and it was not refused for its caller
    assert world.signal(*world.resource, "--signal-auth", "sigv4").code == 0


def test_wait_condition(world):
    result = world.signal("--wait-handle", world.url, "--data", '{"a": "ü"}', "--reason", "why")
    assert result.code == 0, result.err
    assert world.wait.puts == [{"Status": "SUCCESS", "UniqueId": NODE, "Data": '{"a": "ü"}',
                                "Reason": "why"}]
    (head,) = world.wait.heads
    assert not {"Content-Type", "Expect", "Transfer-Encoding", "Authorization"} & set(head)
    assert not world.stack.asked  # nobody named a resource


def test_wait_handle_from_the_configuration_file(world, tmp_path):
    conf = tmp_path / "penates.conf"
    conf.write_text(f"stack = {STACK}\nstack-resource = Nodes\nwait-handle = {world.url}\n")
    assert world.signal("--config", conf, "--status", "failure", "--reason", "x" * 5000).code == 0
    assert world.told == (["FAILURE"], ["FAILURE"])
    assert world.wait.puts[0]["Reason"] == "x" * 500
    assert world.signal(env={"PENATES_WAIT_HANDLE": world.url, "PENATES_STACK": STACK,
                             "PENATES_STACK_RESOURCE": "Nodes"}).code == 0


def test_off_ec2_the_host_speaks(world):
    result = world.signal("--wait-handle", world.url, env={"AWS_EC2_METADATA_DISABLED": "true"})
    assert result.code == 0, result.err
    assert world.wait.puts[0]["UniqueId"] == socket.gethostname()


def test_metadata_in_trouble_makes_up_no_other_name(world):
    world.imds.fail_always = 500
    result = world.signal("--wait-handle", world.url)
    assert result.code == 69 and "the unique id of the signal" in result.error
    assert not world.wait.puts


@pytest.mark.parametrize("args, why", [
    (["--stack", "a b"], "--stack: 'a b' is no stack"),
    (["--stack", "arn:aws:s3:::bucket"], "is no stack"),
    (["--stack-resource", "No-des"], "--stack-resource: 'No-des' is no logical id"),
    (["--signal-auth", "none"], "choose one of: instance, sigv4"),
    (["--status", "good"], "choose one of: success, failure"),
    (["--wait-handle", "https://host/path-of-a-secret"], "--wait-handle: is no presigned URL"),
    (["--wait-handle", "secret?x"], "--wait-handle: is no presigned URL"),
    (["--data", "x" * 4097], "--data: has 4097 bytes"),
    (["--unique-id", "x" * 65], "is too long"),
    (["--sample", "5%"], "'signal' does not take it"),
    (["word"], "takes no further argument"),
])
def test_values_that_are_none(world, args, why):
    result = world.signal(*args)
    assert result.code == 64 and why in result.error
    assert "secret" not in result.err
    assert world.told == ([], [])


@pytest.mark.parametrize("args", [
    ["signal", "--stack", "{}"], ["signal", "--stack-resource", "{}"], ["signal", "--unique-id", "{}"],
    ["signal", "--wait-handle", "--status", "{}"], ["signal", "{}"], ["{}"], ["signal", "--{}"],
    ["restore", "{}", "--into", "{dir}"], ["restore", "--into", "{}", "--token", "{}"],
    ["restore", "--ring", "{}", "--slot", "0", "--into", "{dir}"], ["doctor", "{}", "--json"],
    ["ring", "status", "{}"], ["ring", "claim", "{}"], ["status", "{}"],
], ids=" ".join)
@pytest.mark.parametrize("name", ["Signature", "X-Amz-Signature"])
def test_a_handle_in_the_wrong_place_is_not_printed(tmp_path, args, name):
    """In a log of the machine anybody could read it, and signal."""
    url = f"https://bucket.example/x?Expires=1&{name}=not%2Fto%3Dbe-seen"
    report = tmp_path / "report.json"
    args = [arg.format(url, dir=tmp_path / "data") for arg in args]
    if args[0] == "restore":
        args += ["--report", report]
    result = penates(*args)
    told = result.out + result.err + (report.read_text() if report.exists() else "")
    assert result.code != 0 or args[0] == "status"
    assert "seen" not in told and "not%2F" not in told


@pytest.mark.parametrize("status, code, message, exit_code, why", [
    (400, "ValidationError", "Stack x is in CREATE_COMPLETE state and cannot be signaled", 66,
     "it is not waited for any more"),
    (400, "ValidationError", "Resource Nodes does not exist for stack x", 64, "no such stack"),
    (400, "ValidationError", "1 validation error detected", 64, "the request is not accepted"),
    (403, "AccessDenied", "User: x is not authorized", 77, "has to be one of the stack"),
    (403, "SignatureDoesNotMatch", "no", 77, "--signal-auth sigv4"),
    (400, "Throttling", "Rate exceeded", 69, "too many requests"),
    (503, "ServiceUnavailable", "no", 69, "CloudFormation is in trouble"),
    (418, "Teapot", "no", 77, "refused: Teapot"),
])
def test_refusals(world, status, code, message, exit_code, why):
    world.stack.fail_next = [(status, code, message)] * 50
    result = world.signal(*world.resource, *SOON)
    assert result.code == exit_code, result.err
    assert why in result.error
    assert (len(world.stack.asked) > 1) == (exit_code == 69)


def test_who_is_no_cloudformation_takes_nothing(world):
    world.stack.body = (200, b"<html>Welcome! Please log in.</html>")
    result = world.signal(*world.resource)
    assert result.code == 64 and "who answers is not CloudFormation" in result.error
    world.stack.body = (403, b"blocked")
    assert "HTTP 403 without an error document" in world.signal(*world.resource).error


def test_throttling_passes(world):
    world.stack.fail_next = [(400, "Throttling", "Rate exceeded")] * 2
    world.wait.fail_next = [(503, "SlowDown", "Please reduce your request rate.")] * 2
    assert world.signal(*world.both).code == 0
    assert world.told == (["SUCCESS"], ["SUCCESS"])


def test_the_same_again_is_the_same(world):
    for _ in range(3):
        assert world.signal(*world.both).code == 0
    assert len(world.wait.puts) == 3 and list(world.wait.signals) == [NODE]


def test_an_instance_of_another_stack(world):
    world.stack.members = set()
    result = world.signal(*world.resource)
    assert result.code == 77 and "--signal-auth sigv4" in result.error


def test_keys_that_are_wrong(world):
    result = world.signal(*world.resource, "--signal-auth", "sigv4",
                          env={"AWS_SECRET_ACCESS_KEY": "wrong"})
    assert result.code == 77 and "the secret access key is wrong" in result.error


def test_a_handle_that_has_expired(world):
    world.url = world.wait.url(life_s=-10)
    result = world.signal("--wait-handle", world.url)
    assert result.code == 66 and "its URL has expired" in result.error
    assert not world.wait.puts


def test_a_handle_that_was_cut(world):
    result = world.signal("--wait-handle", world.url[:-4])
    assert result.code == 64 and "403 SignatureDoesNotMatch" in result.error
    assert "the whole URL" in result.error


def test_a_policy_of_the_endpoint_is_named(world):
    world.wait.denied = "User: anonymous is not authorized: no VPC endpoint policy allows it"
    result = world.signal("--wait-handle", world.url)
    assert result.code == 77
    assert ("s3:PutObject on arn:aws:s3:::cloudformation-waitcondition-us-east-1/*"
            in result.error)


def test_an_endpoint_that_is_missing_is_named(world):
    gone = f"http://127.0.0.1:{closed_port()}"
    env = {"AWS_ENDPOINT_URL_CLOUDFORMATION": gone}
    result = world.signal(*world.resource, *SOON, env=env)
    assert result.code == 69
    assert "interface endpoint com.amazonaws.us-east-1.cloudformation" in result.error
    world.url = world.url.replace(world.wait.endpoint, gone)
    result = world.signal("--wait-handle", world.url, *SOON)
    assert result.code == 69
    assert "S3 gateway endpoint" in result.error
    assert "cloudformation-waitcondition-us-east-1" in result.error


@pytest.mark.skipif(SANITIZED, reason="it waits for 30 s")
def test_silence_ends(world):
    world.stack.hangs = world.wait.hangs = True
    began = time.monotonic()
    result = world.signal(*world.both, *SOON)
    assert result.code == 69
    assert time.monotonic() - began < 90  # 20 s for the one, 10 s for the other, and a machine


def test_one_that_fails_keeps_nobody_from_the_other(world):
    world.wait.denied = "no"
    result = world.signal(*world.both, "--status", "failure", "--reason", "x")
    assert result.code == 77
    assert world.told == (["FAILURE"], [])
    world.wait.denied = None
    world.stack.members = set()
    assert world.signal(*world.both).code == 77
    assert world.told == (["FAILURE"], ["SUCCESS"])


@pytest.mark.parametrize("stack, domain, args, host", [
    (STACK, "amazonaws.com", [], "cloudformation.us-east-1.amazonaws.com"),
    ("prod", "amazonaws.com", [], "cloudformation.eu-west-1.amazonaws.com"),
    ("prod", "example.test", [], "cloudformation.eu-west-1.example.test"),
    ("prod", None, [], "cloudformation.eu-west-1.amazonaws.com"),
    ("prod", "amazonaws.com", ["--fips"], "cloudformation-fips.eu-west-1.amazonaws.com"),
    ("prod", "amazonaws.com", ["--signal-auth", "sigv4"],
     "cloudformation.ap-south-1.amazonaws.com"),
    (STACK.replace("us-east-1", "cn-north-1").replace("aws:", "aws-cn:", 1), None, [],
     "cloudformation.cn-north-1.amazonaws.com.cn"),
])
def test_which_endpoint_is_asked(world, stack, domain, args, host):
    """AWS_REGION is that of the bucket where the instance knows its own."""
    world.imds.region = "eu-west-1"
    world.imds.words.pop("services/domain")
    if domain:
        world.imds.words["services/domain"] = domain
    with Proxy() as proxy:
        result = world.signal("--stack", stack, "--stack-resource", "Nodes", *args, *SOON, env={
            "AWS_ENDPOINT_URL_CLOUDFORMATION": None, "https_proxy": proxy.url,
            "AWS_REGION": "ap-south-1"})
        assert result.code == 69
        assert set(proxy.hosts) == {f"{host}:443"}


# A restore


def test_two_steps(world, tmp_path):
    result = world.restore(tmp_path / "data", "--json")
    assert result.code == 0, result.err
    assert world.told == (["SUCCESS"], ["SUCCESS"])
    assert world.wait.announced == 1  # the second step was tried before the first was taken
    (put,) = world.wait.puts
    assert len(put["Data"]) <= 200
    data = json.loads(put["Data"])
    assert data == {"token": TOKEN, "meta": "2023-11-14T22:13:25Z", "files": result.json["files"],
                    "bytes": result.json["stored_bytes"], "secs": int(result.json["seconds"])}
    assert result.json["files"] == 15
    for path in tmp_path.rglob("*"):
        if path.is_file():
            check_nothing_leaks(world.url, path.read_bytes().decode(errors="replace"))
    shown = penates("status", tmp_path / "data", "--json")
    check_nothing_leaks(world.url, shown.out + shown.err)


def test_without_a_resource_there_is_no_first_step(world, tmp_path):
    world.imds.words["tags/instance/aws:cloudformation:stack-id"] = STACK
    world.imds.words["tags/instance/aws:cloudformation:logical-id"] = "Nodes"
    result = world.run("restore", *source_args(world.s3), "--into", tmp_path / "data",
                       "--wait-handle", world.url)
    assert result.code == 0, result.err
    assert world.told == ([], ["SUCCESS"])


def test_the_first_step_comes_before_the_first_byte(world, tmp_path):
    seen = []
    world.s3.faults.append(Fault(key="Data.db", act=lambda *_: seen.append(
        (world.told[0], (tmp_path / "data" / ".penates").exists())), times=None))
    assert world.restore(tmp_path / "data").code == 0
    assert seen[0] == ([], False)  # one byte, to see that it may be read
    assert all(told == ["SUCCESS"] for told, begun in seen if begun) and seen[-1][1]


def test_no_creation_policy_waits_for_a_thaw(world, tmp_path):
    archived = standard()
    archived.store.objects[archived.key("nb-1-big-Data.db")].storage_class = "GLACIER"
    seen = []
    with FakeS3(archived.store) as server:
        server.faults.append(Fault(kind="restore", act=lambda *_: seen.append(world.told[0])))
        world.s3 = server
        refused = world.restore(tmp_path / "data")
        assert refused.code == 78
        assert world.told == (["FAILURE"], ["FAILURE"])
        assert world.restore(tmp_path / "data", "--thaw", "1").code == 0
    assert seen == [["FAILURE", "SUCCESS"]]
    assert world.told == (["FAILURE", "SUCCESS"], ["FAILURE", "SUCCESS"])


def test_a_node_that_boots_again_says_it_again(world, tmp_path):
    assert world.restore(tmp_path / "data").code == 0
    assert world.restore(tmp_path / "data").code == 0
    assert world.told == (["SUCCESS"] * 2, ["SUCCESS"] * 2)
    assert list(world.wait.signals) == [NODE]
    # Months later
    world.stack.stacks[STACK]["Nodes"] = "UPDATE_COMPLETE"
    world.url = world.wait.url(life_s=-10)
    later = world.restore(tmp_path / "data")
    assert later.code == 0, later.err
    assert "it is not waited for any more" in later.err and "its URL has expired" in later.err
    assert "warning" not in later.err
    assert world.told == (["SUCCESS"] * 2, ["SUCCESS"] * 2)


def test_an_instance_that_was_replaced_months_later(world, tmp_path):
    """Nobody waits, but the node has to be restored all the same; an update may wait, though."""
    world.url = world.wait.url(life_s=-10)
    world.stack.stacks[STACK]["Nodes"] = "UPDATE_IN_PROGRESS"
    result = world.restore(tmp_path / "data")
    assert result.code == 0, result.err
    assert world.told == (["SUCCESS"], [])


@pytest.mark.parametrize("code", [64, 66, 73, 77, 78])
def test_what_fails_before_it_begins(world, tmp_path, code):
    args, into = [], tmp_path / "data"
    if code == 64:
        args = ["--replace", "ks.none"]
    elif code == 66:
        args = ["--at", "2001-01-01T00:00:00Z"]
    elif code == 73:
        into = "/proc/x"
    elif code == 77:
        world.s3.faults.append(Fault(kind="any", status=403, code="AccessDenied", times=None))
    else:
        into.mkdir()
        (into / "foreign").write_text("not ours")
    result = world.restore(into, *args)
    assert result.code == code, result.err
    assert world.told == (["FAILURE"], ["FAILURE"])
    (put,) = world.wait.puts
    line = result.error.removeprefix("penates: error: ")
    assert put["Reason"] == line.encode()[:500].decode(errors="ignore")
    assert put["UniqueId"] == NODE and put["Data"] == ""


def test_a_reason_comes_before_the_failure(world, tmp_path):
    order = []
    world.stack.take = lambda *_: order.append(("resource", len(world.wait.puts)))
    assert world.restore(tmp_path / "data", "--at", "2001-01-01T00:00:00Z").code == 66
    assert order == [("resource", 1)]


@pytest.mark.parametrize("bad", [
    ["--no-such-option"], ["--at", "yesterday"], ["--threads", "0"], ["--sample", "5%"],
    ["one", "too", "many"], ["--memory"],
])
def test_a_wrong_parameter_reaches_the_stack(world, tmp_path, bad):
    result = world.restore(tmp_path / "data", *bad)
    assert result.code == 64
    assert world.told == (["FAILURE"], ["FAILURE"])
    assert world.wait.puts[0]["Reason"] == result.error.removeprefix("penates: error: ")


def test_a_wrong_line_of_the_file_reaches_the_stack(world, tmp_path):
    """Also where it stands before those that name the stack."""
    conf = tmp_path / "penates.conf"
    conf.write_text(f"clutser = prod\nstack = {STACK}\nstack-resource = Nodes\n"
                    f"wait-handle = {world.url}\n")
    result = world.run("restore", "--config", conf)
    assert result.code == 64 and "line 1: there is no option 'clutser'" in result.error
    assert world.told == (["FAILURE"], ["FAILURE"])


def test_a_slot_that_is_none_reaches_the_stack(world, tmp_path):
    plan = tmp_path / "ring.json"
    made = penates("ring", "plan", *source_args(world.s3), "--out", plan)
    assert made.code == 0, made.err
    args = ["restore", "--ring", plan, "--into", tmp_path / "data", "--endpoint", world.s3.endpoint,
            "--path-style", *world.both]
    result = world.run(*args, "--slot", 7)
    assert result.code == 64
    assert world.told == (["FAILURE"], ["FAILURE"])
    world.imds.words["placement/availability-zone"] = "us-east-1c"
    assert world.run(*args, "--slot", 0).code == 0
    assert json.loads(world.wait.puts[1]["Data"])["slot"] == 0


def test_other_commands_tell_no_failure(world, tmp_path):
    conf = tmp_path / "penates.conf"
    conf.write_text(f"stack = {STACK}\nstack-resource = Nodes\nwait-handle = {world.url}\n")
    assert world.run("plan", *source_args(world.s3), "--config", conf, "--at", "x").code == 64
    assert world.run("verify", *source_args(world.s3), "--config", conf).code == 0
    assert world.told == ([], [])


def test_a_failure_after_the_first_step(world, tmp_path):
    world.s3.faults.append(Fault(key="nb-2-big-Data.db", flip_at=100, times=None))
    result = world.restore(tmp_path / "data")
    assert result.code == 65, result.err
    assert world.told == (["SUCCESS"], ["FAILURE"])
    line = result.error.removeprefix("penates: error: ")
    assert world.wait.puts[0]["Reason"].startswith(line[:200])


def test_what_runs_again_by_itself_fails_no_stack(world, tmp_path):
    """Exit codes after which systemd's unit starts the restore again."""
    world.s3.faults.append(Fault(kind="any", close_first=True, times=None))
    result = world.restore(tmp_path / "data", *SOON)
    assert result.code == 69 and "the stack is not told" in result.err
    world.s3.faults.clear()
    false = world.restore(tmp_path / "data", "--after", "/bin/false")
    assert false.code == 75
    assert world.told == (["SUCCESS"], [])
    assert world.restore(tmp_path / "data", "--after", "/bin/true").code == 0
    assert world.told == (["SUCCESS"] * 2, ["SUCCESS"])


def test_an_interruption_fails_no_stack(world, tmp_path):
    process = start("restore", *source_args(world.s3), "--into", tmp_path / "data", *world.both,
                    "--bandwidth", "64K", "--threads", "2", env=world.env)
    deadline = time.monotonic() + 60
    while not (tmp_path / "data" / ".penates").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert finish(process).code == 75
    assert world.told == (["SUCCESS"], [])
    assert world.restore(tmp_path / "data").code == 0
    assert world.told == (["SUCCESS"] * 2, ["SUCCESS"])


def test_a_second_run_does_not_speak_for_the_first(world, tmp_path):
    process = start("restore", *source_args(world.s3), "--into", tmp_path / "data", *world.both,
                    "--bandwidth", "64K", "--threads", "2", env=world.env)
    deadline = time.monotonic() + 60
    while not (tmp_path / "data" / ".penates" / "journal").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    second = world.restore(tmp_path / "data")
    assert second.code == 78 and "another restore is running" in second.error
    assert "FAILURE" not in world.told[0] + world.told[1]
    process.send_signal(signal.SIGTERM)
    assert finish(process).code == 75


def test_who_sees_it_is_not_told_twice(world, tmp_path):
    """A typo at a terminal must not roll a stack back."""
    master, terminal = pty.openpty()
    try:
        result = world.restore(tmp_path / "data", "--at", "yesterday", stdin=terminal)
    finally:
        os.close(terminal)
        os.close(master)
    assert result.code == 64 and "penates signal --status failure" in result.err
    assert world.told == ([], [])


def warnings(result):
    return [line for line in result.err.splitlines() if "the stack does not learn" in line]


def test_a_second_step_that_cannot_be_taken_fails_the_first(world, tmp_path):
    world.url = world.url.replace(world.wait.endpoint, f"http://127.0.0.1:{closed_port()}")
    result = world.restore(tmp_path / "data", *SOON)
    assert result.code == 0, result.err
    assert world.told == (["FAILURE"], [])
    before, after = warnings(result)
    assert "S3 gateway endpoint" in before and "S3 gateway endpoint" in after


def test_an_endpoint_policy_is_found_before_the_restore(world, tmp_path):
    world.wait.denied = "no VPC endpoint policy allows it"
    result = world.restore(tmp_path / "data")
    assert result.code == 0, result.err
    assert world.told == (["FAILURE"], [])
    assert "s3:PutObject on arn:aws:s3:::cloudformation-waitcondition-us-east-1/*" in result.err


def test_who_knows_no_announcements_is_no_hindrance(world, tmp_path):
    world.wait.silent_on_announcements = True
    result = world.restore(tmp_path / "data")
    assert result.code == 0, result.err
    assert world.told == (["SUCCESS"], ["SUCCESS"])


def test_a_first_step_that_cannot_be_taken_fails_the_second(world, tmp_path):
    result = world.restore(tmp_path / "data", *SOON, env={
        "AWS_ENDPOINT_URL_CLOUDFORMATION": f"http://127.0.0.1:{closed_port()}"})
    assert result.code == 0, result.err
    assert world.told == ([], ["FAILURE", "SUCCESS"])
    assert world.wait.signals[NODE]["Status"] == "FAILURE"  # the first word is the one that counts
    assert "interface endpoint com.amazonaws.us-east-1.cloudformation" in warnings(result)[0]


def test_a_stack_that_was_deleted_meanwhile(world, tmp_path):
    world.stack.stacks.clear()
    result = world.run("restore", *source_args(world.s3), "--into", tmp_path / "data",
                       *world.resource)
    assert result.code == 0, result.err
    assert len(warnings(result)) == 1 and "there is no such stack" in warnings(result)[0]


@pytest.mark.skipif(SANITIZED, reason="it waits for 40 s")
def test_a_reboot_without_a_network_is_not_held_up(world, tmp_path):
    assert world.restore(tmp_path / "data").code == 0
    world.stack.hangs = world.wait.hangs = True
    began = time.monotonic()
    assert world.restore(tmp_path / "data").code == 0
    assert time.monotonic() - began < 120  # once 10 s and once 20 s, tried again for 15 s


# Doctor and policy


def doctor(world, *args, **options):
    result = world.run("doctor", *source_args(world.s3), "--json", *args, **options)
    check_schema(result.json, "doctor")
    return result, [check for check in result.json["checks"] if check["name"] == "stack"]


def test_doctor(world):
    result, rows = doctor(world, *world.both)
    assert result.code == 0, result.err
    assert [row["state"] for row in rows] == ["ok", "ok"]
    assert rows[0]["text"] == f"connected to {world.stack.endpoint}"
    assert rows[1]["text"] == "S3 would take a signal to the wait condition"
    assert world.told == ([], [])
    assert doctor(world)[1] == []
    world.wait.denied = "no"
    result, rows = doctor(world, *world.both, env={
        "AWS_ENDPOINT_URL_CLOUDFORMATION": f"http://127.0.0.1:{closed_port()}"})
    assert result.code == 0  # a restore gets past it
    assert [row["state"] for row in rows] == ["warned", "warned"]
    assert "cloudformation" in rows[0]["next_step"] and "s3:PutObject" in rows[1]["next_step"]


def test_policy(world):
    source = ["policy", "s3://backups/backup", "--cluster", "x", "--format", "v2"]
    shown = world.run(*source, "--stack", STACK, "--signal-auth", "sigv4").json["Statement"]
    assert shown[-1] == {"Sid": "SignalTheStack", "Effect": "Allow",
                         "Action": "cloudformation:SignalResource", "Resource": STACK}
    assert len(world.run(*source, "--stack", STACK).json["Statement"]) == len(shown) - 1
    assert world.run(*source, "--stack", "prod", "--signal-auth", "sigv4").code == 64
    assert world.run(*source, "--stack", "prod").code == 0
