"""Roles that are assumed: against MiniStack, which checks trust and the sessions it gave, and
against a strict fake, whose credentials live for seconds."""

import base64
import json
import os
import pathlib
import tempfile
import threading

import pytest
from conftest import (ACCESS_KEY, DATA, SECRET_KEY, SESSION_TOKEN, expected_tree, penates, points,
                      sha256_tree, source_args)
from fake_s3 import FakeS3, tree_store
from fake_s3.imds import FakeIMDS, Rotation
from fake_s3.sts import FakeSTS, Role
from real_servers.ministack import MiniStack
from small_backup import standard
from test_credentials import check_restored, keys_used, long_backup, on_ec2, restore, slowly

NO_KEYS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
FIRST = "arn:aws:iam::111122223333:role/first"
LAST = "arn:aws:iam::444455556666:role/dr/last"


def write_config(tmp_path, text):
    path = tmp_path / "config"
    path.write_text(text)
    return str(path)


# MiniStack

ACCOUNT = "000000000000"
READER, POD = f"arn:aws:iam::{ACCOUNT}:role/reader", f"arn:aws:iam::{ACCOUNT}:role/pod"
ISSUER = "oidc.example.test/id/1"


def make_role(iam, name, statement):
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}))
    iam.put_role_policy(RoleName=name, PolicyName="read", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}]}))


@pytest.fixture(scope="module")
def ministack():
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        with MiniStack(pathlib.Path(folder)) as server:
            server.fill(tree_store(DATA / "priam-v2"))
            iam = server.client("iam", *server.ROOT)
            iam.put_user_policy(UserName="restorer", PolicyName="all", PolicyDocument=json.dumps(
                {"Version": "2012-10-17", "Statement": [
                    {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}))
            make_role(iam, "reader", {
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/restorer"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": "penates-test"}}})
            make_role(iam, "pod", {
                "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"},
                "Action": "sts:AssumeRoleWithWebIdentity"})
            yield server


def by_user(server, **extra):
    return {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key,
            "AWS_ENDPOINT_URL_STS": server.endpoint, **extra}


def restore_sample(server, tmp_path, *options, env):
    return penates("restore", *source_args(server), "--range", points(DATA / "priam-v2")["p1"],
                   "--into", tmp_path / "data", *options, env=env)


def check_sample(result, tmp_path):
    assert result.code == 0, result.err
    got, wanted = sha256_tree(tmp_path / "data"), expected_tree(DATA / "priam-v2", "p1")
    wanted = {name: d for name, d in wanted.items() if not name.startswith("system/IndexInfo-")}
    assert wanted.items() <= got.items()


def test_user_needs_the_role(ministack, tmp_path):
    result = restore_sample(ministack, tmp_path, env=by_user(ministack))
    assert result.code == 77, result.err


def test_restore_by_role(ministack, tmp_path):
    check_sample(restore_sample(ministack, tmp_path, "--role-arn", READER, "--external-id",
                                "penates-test", env=by_user(ministack)), tmp_path)


def test_restore_by_profile(ministack, tmp_path):
    config = write_config(tmp_path, f"""
[profile dr]
role_arn = {READER}
source_profile = user
external_id = penates-test
[profile user]
aws_access_key_id = {ministack.access_key}
aws_secret_access_key = {ministack.secret_key}
""")
    check_sample(restore_sample(ministack, tmp_path, "--profile", "dr", env={
        **NO_KEYS, "AWS_ENDPOINT_URL_STS": ministack.endpoint, "AWS_CONFIG_FILE": config}),
        tmp_path)


@pytest.mark.parametrize("external_id", ["penates-wrong", None])
def test_trust_that_is_missing_is_named(ministack, tmp_path, external_id):
    options = ["--external-id", external_id] if external_id else []
    result = restore_sample(ministack, tmp_path, "--role-arn", READER, *options,
                            env=by_user(ministack))
    assert result.code == 77, result.err
    assert f"assuming {READER}: not allowed: AccessDenied" in result.error
    assert f"the trust policy of {READER} must allow sts:AssumeRole to arn:aws:iam::{ACCOUNT}:" \
           "user/restorer, or the external id is wrong" in result.error


def test_wrong_secret_of_the_caller(ministack, tmp_path):
    result = restore_sample(ministack, tmp_path, "--role-arn", READER,
                            env=by_user(ministack, AWS_SECRET_ACCESS_KEY="wrong"))
    assert result.code == 77, result.err
    assert f"assuming {READER}: the secret access key is wrong" in result.error


def web_token(issuer):
    """Shaped as a signed one; MiniStack looks at the issuer, which the role has to trust."""
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    return ".".join([part({"alg": "RS256"}), part(
        {"iss": f"https://{issuer}", "aud": "sts.amazonaws.com", "sub": "restore"}), "c2lnbg"])


def test_restore_by_web_identity(ministack, tmp_path):
    token = tmp_path / "token"
    env = {**NO_KEYS, "AWS_ENDPOINT_URL_STS": ministack.endpoint, "AWS_ROLE_ARN": POD,
           "AWS_WEB_IDENTITY_TOKEN_FILE": str(token)}
    token.write_text(web_token("other.example.test"))
    result = restore_sample(ministack, tmp_path, env=env)
    assert result.code == 77, result.err
    assert "the role's trust policy must allow sts:AssumeRoleWithWebIdentity" in result.error
    token.write_text(web_token(ISSUER))
    check_sample(restore_sample(ministack, tmp_path, env=env), tmp_path)


# The strict fake: lives of seconds

LIFE_S, RUN_S = 4, 7


def fake_sts(roles, callers, **options):
    return FakeSTS(callers, roles, secret_key=SECRET_KEY, token=SESSION_TOKEN, **options)


def test_restore_outlives_chained_credentials(tmp_path):
    """An instance role that rotates, a role assumed with it, and a role assumed with that one: as a
    restore of hours with credentials of one hour, in seconds."""
    backup = long_backup()
    config = write_config(tmp_path, f"""
[profile dr]
role_arn = {LAST}
source_profile = hop
external_id = penates-test
[profile hop]
role_arn = {FIRST}
credential_source = Ec2InstanceMetadata
role_session_name = hop
""")
    callers = {}
    rotation = Rotation(callers, SECRET_KEY, SESSION_TOKEN, every_s=2, life_s=LIFE_S)
    with slowly(backup.store, RUN_S) as server, FakeIMDS(rotation) as imds:
        server.keys = {}
        roles = {FIRST: Role("ASIAROTATING", callers),
                 LAST: Role("ASIAFIRST", server.keys, external_id="penates-test")}
        with fake_sts(roles, callers, life_s=LIFE_S) as sts:
            sts.fail_next = [(503, "ServiceUnavailable"), (400, "Throttling")]
            result = restore(server, tmp_path / "data", "--connections", "2", "--profile", "dr",
                             env={**on_ec2(imds.endpoint), "AWS_ENDPOINT_URL_STS": sts.endpoint,
                                  "AWS_CONFIG_FILE": config})
    check_restored(result, backup, tmp_path / "data")
    used = set(keys_used(server))
    assert len(used) >= 3, "new ones were to be used"
    assert {request.status for request in server.requests} <= {200, 206, 404}, \
        "renewed ahead of their end, none is ever refused"
    assert [asked["RoleArn"] for asked in sts.asked] == [FIRST, LAST] * (len(sts.asked) // 2)
    assert len({asked["caller"] for asked in sts.asked if asked["RoleArn"] == FIRST}) >= 3, \
        "the instance's own had rotated, too"
    assert {asked["RoleSessionName"] for asked in sts.asked[::2]} == {"hop"}
    assert all(asked["RoleSessionName"].startswith("penates-") for asked in sts.asked[1::2])
    assert all(asked["DurationSeconds"] == "3600" for asked in sts.asked)
    assert len(sts.asked) < len(server.requests) / 4, "no question per object"


def test_web_identity_is_read_again(tmp_path):
    """The token is replaced while the restore runs, and the old one is no longer taken."""
    backup = long_backup()
    token_file = tmp_path / "token"
    token_file.write_text("token-1\n")
    with slowly(backup.store, 3) as server:
        server.keys = {}
        role = Role("token-1", server.keys)
        with fake_sts({LAST: role}, {}, life_s=3) as sts:
            def replace():
                role.trusts = "token-2"
                (tmp_path / "next").write_text("token-2")
                os.replace(tmp_path / "next", token_file)
            timer = threading.Timer(1, replace)
            timer.start()
            result = restore(server, tmp_path / "data", "--connections", "2", env={
                **NO_KEYS, "AWS_ENDPOINT_URL_STS": sts.endpoint, "AWS_ROLE_ARN": LAST,
                "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file)})
            timer.join()
    check_restored(result, backup, tmp_path / "data")
    assert {asked["WebIdentityToken"] for asked in sts.asked} == {"token-1", "token-2"}
    assert len(set(keys_used(server))) >= 2


@pytest.mark.parametrize("options", [["--profile", "dr"], ["--role-arn", LAST]])
def test_no_sts_is_no_denial(tmp_path, options):
    """A network that is down is another matter than a role that may not be had."""
    config = write_config(tmp_path, f"[profile dr]\nrole_arn = {LAST}\n"
                                    "credential_source = Environment\n")
    with FakeS3(standard().store) as server:
        result = penates("list", *source_args(server), *options, "--retry-for", "1s", env={
            "AWS_CONFIG_FILE": config, "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1"})
        assert not server.requests
    assert result.code == 69, result.err
    assert f"assuming {LAST}: http://127.0.0.1:1: " in result.error
    assert "; check the way to STS: " in result.error


def by_role(sts):
    return {"AWS_ENDPOINT_URL_STS": sts.endpoint}


def test_sts_that_comes_late_is_waited_for():
    """As the store is: at boot the network may not be there yet."""
    with FakeS3(standard().store) as server:
        callers, server.keys = server.keys, {}
        with fake_sts({LAST: Role(ACCESS_KEY, server.keys)}, callers) as sts:
            sts.fail_next = [(503, "ServiceUnavailable")] * 6  # more than one question asks
            result = penates("list", *source_args(server), "--role-arn", LAST, env=by_role(sts))
    assert result.code == 0, result.err
    assert len(sts.asked) == 1


def test_sts_that_is_down_when_credentials_end(tmp_path):
    """The store refuses the old ones, and is asked again until there are new ones."""
    backup = long_backup()
    with slowly(backup.store, 4) as server:
        callers, server.keys = server.keys, {}

        def refused():
            return [request for request in server.requests if request.status == 400]
        with fake_sts({LAST: Role(ACCESS_KEY, server.keys)}, callers, life_s=2) as sts:
            sts.is_down = lambda: sts.asked and len(refused()) < 6
            result = restore(server, tmp_path / "data", "--connections", "2", "--role-arn", LAST,
                             env=by_role(sts))
    check_restored(result, backup, tmp_path / "data")
    assert len(refused()) >= 6
    assert "credentials: not renewed, and used on" in result.err


def test_properties_of_priam_name_the_role(tmp_path):
    """And the region of its STS is the one given."""
    with FakeS3(standard().store, region="eu-west-3") as server:
        properties = tmp_path / "Priam.properties"
        properties.write_text(f"priam.s3.bucket={server.bucket}\npriam.roleassumption.arn={LAST}\n")
        callers, server.keys = server.keys, {}
        with fake_sts({LAST: Role(ACCESS_KEY, server.keys)}, callers, region="eu-west-3") as sts:
            result = penates("list", "--priam-properties", properties, "--endpoint",
                             server.endpoint, "--path-style", "--region", "eu-west-3", "--json",
                             env={"AWS_ENDPOINT_URL_STS": sts.endpoint})
    assert result.code == 0, result.err
    assert result.json["restore_points"]
    assert [asked["caller"] for asked in sts.asked] == [ACCESS_KEY]
