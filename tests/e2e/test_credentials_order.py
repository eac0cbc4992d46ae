"""Whose credentials are taken when several are set up, held against botocore: both find the same
variables, files and services, which a seed has put together."""

import contextlib
import json
import random

import botocore.exceptions
import botocore.session
import pytest
from conftest import SECRET_KEY, SESSION_TOKEN, environment, penates, source_args
from fake_s3 import FakeS3
from fake_s3.imds import FakeIMDS
from fake_s3.sts import NEEDED, FakeSTS, Role
from small_backup import standard
from test_credentials import Agent, keys_used
from test_roles import NO_KEYS

CASES = 100
TOKEN = "web-token"


class Ever:
    """The Rotation of what never ends."""

    def __init__(self, access_key):
        self.access_key = access_key

    def now(self):
        return self.access_key, SECRET_KEY, SESSION_TOKEN, 4102444800


@pytest.fixture(scope="module")
def services():
    """Each gives credentials of its own name, and the store knows them all."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(FakeS3(standard(1).store))
        server.keys = {key: (SECRET_KEY, SESSION_TOKEN, None) for key in ("AGENT", "INSTANCE")}
        server.keys |= {key: (SECRET_KEY, None, None) for key in
                        ("ENV", "CREDENTIALS", "CONFIG", "PROCESS", "BASE", "OTHER")}
        roles = {arn(name): Role(TOKEN if name.startswith("web") else "", server.keys)
                 for name in ("role", "webenv", "webprofile")}
        sts = stack.enter_context(FakeSTS(server.keys, roles, secret_key=SECRET_KEY,
                                          token=SESSION_TOKEN))
        sts.needed = NEEDED - {"DurationSeconds"}  # which botocore leaves to STS
        agent = stack.enter_context(Agent(Ever("AGENT")))
        imds = stack.enter_context(FakeIMDS(("INSTANCE", SECRET_KEY, SESSION_TOKEN)))
        yield server, sts, agent, imds


def arn(name):
    return f"arn:aws:iam::111122223333:role/{name}"


def keys(name):
    return {"aws_access_key_id": name, "aws_secret_access_key": SECRET_KEY}


def file_of(sections):
    return "".join(f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in pairs.items())
                   for name, pairs in sections.items())


def some_profile(chance, folder):
    """What the two files say of one profile."""
    config, credentials = {}, {}
    if chance.random() < 0.3:
        credentials |= keys("CREDENTIALS")
    if chance.random() < 0.3:
        config |= keys("CONFIG")
    if chance.random() < 0.3:
        config["credential_process"] = f"cat '{folder}/process.json'"
    way = chance.choice(["", "", "", "source", "self", "Environment", "EcsContainer",
                         "Ec2InstanceMetadata", "web"])
    if way == "web":
        config |= {"role_arn": arn("webprofile"), "web_identity_token_file": f"{folder}/token"}
    elif way:
        config |= {"role_arn": arn("role")}
        config |= {"source_profile": {"source": "base", "self": "default"}[way]} \
            if way in ("source", "self") else {"credential_source": way}
    return config, credentials


def some_world(chance, folder, agent, imds):
    """(variables, --profile or None)"""
    env = {**NO_KEYS, "AWS_EC2_METADATA_DISABLED": "true"}
    option = None
    choice = chance.choice(["", "", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "both", "--profile"])
    name = "dr" if choice else "default"
    if choice == "--profile":
        option = "dr"
    elif choice == "both":
        env |= {"AWS_DEFAULT_PROFILE": "dr", "AWS_PROFILE": "other"}
    elif choice:
        env[choice] = "dr"
    if chance.random() < 0.25:
        env |= {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    if chance.random() < 0.25:
        env |= {"AWS_WEB_IDENTITY_TOKEN_FILE": f"{folder}/token", "AWS_ROLE_ARN": arn("webenv")}
    if chance.random() < 0.5:
        env |= {"AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.url,
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": agent.token}
    if chance.random() < 0.5:
        env |= {"AWS_EC2_METADATA_DISABLED": None,
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.endpoint}
    config, credentials = some_profile(chance, folder)
    section = "default" if name == "default" else f"profile {name}"
    # There always, for without one botocore takes not even the environment's.
    (folder / "config").write_text(file_of({section: config}))
    (folder / "credentials").write_text(file_of({
        **({name: credentials} if credentials else {}), "base": keys("BASE"),
        "other": keys("OTHER")}))
    return env, option


def botocores(monkeypatch, env, option):
    """The access key that it would sign with; None: it has none."""
    with monkeypatch.context() as patch:
        for name in [name for name in environment() if name.startswith("AWS_")]:
            patch.delenv(name, raising=False)
        for name, value in env.items():
            patch.delenv(name, raising=False) if value is None else patch.setenv(name, value)
        try:
            found = botocore.session.Session(profile=option).get_credentials()
            return found and found.get_frozen_credentials().access_key
        except botocore.exceptions.BotoCoreError:
            return None


def whose(access_key):
    """Those of STS have a number at the end."""
    return access_key and access_key.rstrip("0123456789")


def test_same_ones_as_botocore(services, tmp_path, monkeypatch):
    server, sts, agent, imds = services
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "process.json").write_text(json.dumps(
        {"Version": 1, "AccessKeyId": "PROCESS", "SecretAccessKey": SECRET_KEY}))
    seen = set()
    for seed in range(CASES):
        env, option = some_world(random.Random(seed), tmp_path, agent, imds)
        env |= {"AWS_CONFIG_FILE": f"{tmp_path}/config", "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_SHARED_CREDENTIALS_FILE": f"{tmp_path}/credentials",
                "AWS_ENDPOINT_URL_STS": sts.endpoint}
        theirs = whose(botocores(monkeypatch, env, option))
        server.requests.clear()
        result = penates("list", *source_args(server), *(["--profile", option] if option else []),
                         env=env)
        ours = {whose(key) for key in keys_used(server)}
        told = f"seed {seed}: {env}, {option}, {result.err}"
        assert ours == ({theirs} if theirs else set()), told
        assert (result.code == 0) == bool(theirs), told
        seen.add(theirs)
    assert seen == {None, "ENV", "CREDENTIALS", "CONFIG", "PROCESS", "AGENT", "INSTANCE",
                    "ASIAROLE", "ASIAWEBENV", "ASIAWEBPROFILE"}
