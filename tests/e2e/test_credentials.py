"""Where credentials come from, and that a restore outlives them: the store refuses whatever has
expired, and the services that give new ones are counted."""

import http.server
import json
import os
import random
import select
import signal
import socket
import threading
import time

import pytest
from conftest import (SANITIZED, SECRET_KEY, SESSION_TOKEN, finish, penates, sha256_tree,
                      source_args, start)
from fake_s3 import FakeS3
from fake_s3.imds import FakeIMDS, Rotation
from fake_s3.sigv4 import parse_authorization
from real_servers import ec2_mock
from small_backup import SmallBackup, standard

ACCESS_KEY = "ASIAROTATING00000000"
NO_KEYS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}


def on_ec2(endpoint):
    return {**NO_KEYS, "AWS_EC2_METADATA_DISABLED": None,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint}


def restore(server, target, *args, env):
    return penates("restore", *source_args(server), "--into", target, *args, env=env)


def check_restored(result, backup, target):
    assert result.code == 0, result.err
    assert set(sha256_tree(target)) == set(backup.plain)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.fixture
def server():
    with FakeS3(standard().store) as fake:
        fake.keys = {ACCESS_KEY: (SECRET_KEY, SESSION_TOKEN, None)}
        yield fake


def long_backup():
    """Some 160 objects: seconds, from a store that is slow and over one connection."""
    backup = SmallBackup()
    for generation in range(1, 33):
        backup.add_sstable(generation, random.Random(generation).randbytes(2000))
    backup.seal()
    return backup


def slowly(store, seconds):
    """A store that makes a restore of that backup over two connections take about so long."""
    return FakeS3(store, latency=2 * seconds / len(store.objects))


def keys_used(server):
    return [parse_authorization(request.headers["authorization"])[0] for request in server.requests]


# Files that are none

@pytest.mark.parametrize("text, words", [
    (b"[default\naws_access_key_id = A\n", "line 1: no section's name in brackets"),
    (f"[default]\n{SESSION_TOKEN}\n".encode(), "line 2: neither [section] nor name = value"),
    (f"aws_secret_access_key = {SECRET_KEY}\n".encode(), "line 1: a property before any [section]"),
    (b"[default]\n\0\n", "a NUL byte"),
    (f"[default]\naws_secret_access_key = {SECRET_KEY}\n".encode(), "no aws_access_key_id"),
    (f"[default]\naws_access_key_id = A\naws_secret_access_key = {SECRET_KEY}\x7f\n".encode(),
     "the secret access key has a character that cannot be in one"),
    (b"[default]\n[default]\n", "line 2: profile 'default' for the second time"),
    (b"\n" * 1024 * 1024, "1048576 bytes or more"),
])
def test_malformed_credentials_file(server, tmp_path, text, words):
    path = tmp_path / "credentials"
    path.write_bytes(text)
    result = penates("list", *source_args(server), "--verbose",
                     env={**NO_KEYS, "AWS_SHARED_CREDENTIALS_FILE": str(path)})
    assert result.code == 64, result.err
    assert words in result.error
    assert "; correct that" in result.error
    assert not server.requests


# Lives of seconds

LIFE_S, EVERY_S, RUN_S = 4, 2, 7


def test_restore_outlives_its_credentials(tmp_path):
    """As a restore of hours with credentials of one hour, in seconds."""
    backup = long_backup()
    with slowly(backup.store, RUN_S) as server:
        server.keys = {}
        rotation = Rotation(server.keys, SECRET_KEY, SESSION_TOKEN, every_s=EVERY_S, life_s=LIFE_S)
        with FakeIMDS(rotation) as imds:
            imds.token_uses = 2  # role and credentials: each visit has to bring a token of its own
            began = time.monotonic()
            result = restore(server, tmp_path / "data", "--connections", "2",
                             env=on_ec2(imds.endpoint))
            took = time.monotonic() - began
        check_restored(result, backup, tmp_path / "data")
        assert took > LIFE_S + 1, "the first ones had to end on the way"
        used = keys_used(server)
        assert len(set(used)) >= 3, "new ones were to be used"
        assert {request.status for request in server.requests} <= {200, 206, 404}, \
            "renewed ahead of their end, none is ever refused"
        # A visit has three requests; one at half of each life, and one more that comes too early.
        visits = len(imds.requests) / 3
        assert visits <= 2 + took / (LIFE_S / 4), imds.requests
        assert len(imds.requests) < len(server.requests) / 2


def test_service_that_fails_is_lived_without(tmp_path):
    """What there is goes on being used, and one line says so."""
    backup = long_backup()
    with slowly(backup.store, 3) as server:
        server.keys = {}
        rotation = Rotation(server.keys, SECRET_KEY, SESSION_TOKEN, every_s=100, life_s=LIFE_S,
                            lenient=True)
        with FakeIMDS(rotation) as imds:
            def fail():
                imds.fail_always = 503
            timer = threading.Timer(1, fail)
            timer.start()
            result = restore(server, tmp_path / "data", "--connections", "2",
                             env=on_ec2(imds.endpoint))
            timer.join()
            failed = [request for request in imds.requests if request[0] == "PUT"]
        assert result.err.count("credentials: not renewed, and used on") == 1, result.err
        assert "answers 503" in result.err
        assert len(failed) <= 1 + 5 * 5, "five tries each time, and longer pauses each time"
        check_restored(result, backup, tmp_path / "data")


def test_refused_ones_are_replaced_once(server, tmp_path):
    """They end earlier than they said: revoked sessions do."""
    with FakeIMDS(Rotation(server.keys, SECRET_KEY, SESSION_TOKEN, every_s=0,
                           life_s=3600)) as imds:
        original = imds._document

        def document():
            text = original()
            if len(imds.credentials.issued) == 1:
                name = imds.credentials.issued[0][1]
                secret, token, _ = server.keys[name]
                server.keys[name] = (secret, token, time.time() - 1)
            return text
        imds._document = document
        result = restore(server, tmp_path / "data", env=on_ec2(imds.endpoint))
        check_restored(result, standard(), tmp_path / "data")
        assert [request.status for request in server.requests].count(400) == 1
        assert len(imds.requests) == 6


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on the loopback")
def test_over_ipv6(tmp_path):
    """The store, too; and the region is the instance's."""
    with FakeS3(standard().store, host="::1", region="eu-west-3") as server:
        server.keys = {ACCESS_KEY: (SECRET_KEY, SESSION_TOKEN, None)}
        with FakeIMDS((ACCESS_KEY, SECRET_KEY, SESSION_TOKEN), host="::1",
                      region="eu-west-3") as imds:
            result = restore(server, tmp_path / "data", env={**on_ec2(imds.endpoint),
                                                             "AWS_REGION": None})
    check_restored(result, standard(), tmp_path / "data")
    assert {request.status for request in server.requests} <= {200, 206}


# Bad days of the metadata service

def old_token(imds):
    imds.token_uses = 1


def throttled(imds):
    imds.fail_next = [503, 429]


def other_role(imds):
    imds.next_role = "other-role"


def trickling(imds):
    imds.trickle_next = 1


@pytest.mark.parametrize("trouble, requests",
                         [(old_token, 5), (throttled, 5), (other_role, 5), (trickling, 4)])
def test_instance_role_in_trouble(server, tmp_path, trouble, requests):
    with FakeIMDS((ACCESS_KEY, SECRET_KEY, SESSION_TOKEN)) as imds:
        trouble(imds)
        result = restore(server, tmp_path / "data", env=on_ec2(imds.endpoint))
        check_restored(result, standard(), tmp_path / "data")
        assert len(imds.requests) == requests


@pytest.mark.skipif(SANITIZED, reason="it waits for 12 s")
def test_hop_limit_is_named(server):
    """The answer with the token does not get into a container."""
    with FakeIMDS((ACCESS_KEY, SECRET_KEY, SESSION_TOKEN)) as imds:
        imds.loses_tokens = True
        result = penates("list", *source_args(server), env=on_ec2(imds.endpoint))
        assert len(imds.requests) == 5
    assert result.code == 77, result.err
    assert "no answer from" in result.error
    assert "--http-put-response-hop-limit 2" in result.error


@pytest.mark.parametrize("document, words", [
    ({"Code": "AssumeRoleUnauthorizedAccess", "Message": "EC2 cannot assume the role"},
     "AssumeRoleUnauthorizedAccess: EC2 cannot assume"),
    ({"Code": "Success", "AccessKeyId": "A", "SecretAccessKey": SECRET_KEY}, "a part is missing"),
    (f"<html>{SECRET_KEY}</html>", "not a flat JSON object"),
])
def test_instance_role_that_gives_none(server, tmp_path, document, words):
    with FakeIMDS((ACCESS_KEY, SECRET_KEY, SESSION_TOKEN)) as imds:
        text = document if isinstance(document, str) else json.dumps(document)
        imds.document = text.encode()
        result = restore(server, tmp_path / "data", env=on_ec2(imds.endpoint))
    assert result.code == 77, result.err
    assert words in result.error
    assert not server.requests


@pytest.mark.skipif(ec2_mock.find() is None, reason="no ec2-metadata-mock, for there is no go")
def test_metadata_mock_of_aws(server, tmp_path):
    with ec2_mock.Ec2Mock(tmp_path, ACCESS_KEY, SECRET_KEY, SESSION_TOKEN) as imds:
        env = {**on_ec2(imds.endpoint), "AWS_REGION": None}
        result = restore(server, tmp_path / "data", env=env)
        check_restored(result, standard(), tmp_path / "data")
        assert set(keys_used(server)) == {ACCESS_KEY}


# Programs

HELPER = """#!/bin/sh
echo "the helper was here: $1" >&2
n=$(cat "$2"); n=$((n + 1)); echo $n > "$2"
end=$(date -u -d "+2 seconds" +%Y-%m-%dT%H:%M:%SZ)
printf '{"Version": 1, "AccessKeyId": "%s", "SecretAccessKey": "%s", "SessionToken": "%s",
         "Expiration": "%s"}' "$3" "$4" "$5" "$end"
"""


def profile_with(tmp_path, command):
    config = tmp_path / "config"
    config.write_text(f"[profile dr]\ncredential_process = {command}\n")
    return {**NO_KEYS, "AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "dr"}


def test_credential_process(tmp_path):
    """It runs again ahead of each end; no shell sees its words."""
    backup = long_backup()
    helper, count = tmp_path / "my helper", tmp_path / "count"
    helper.write_text(HELPER)
    helper.chmod(0o755)
    count.write_text("0")
    env = profile_with(tmp_path, f'"{helper}" "$HOME; false" {count} '
                                 f"{ACCESS_KEY} '{SECRET_KEY}' {SESSION_TOKEN}")
    with slowly(backup.store, 2) as server:
        server.keys = {ACCESS_KEY: (SECRET_KEY, SESSION_TOKEN, None)}
        result = restore(server, tmp_path / "data", "--connections", "2", env=env)
    check_restored(result, backup, tmp_path / "data")
    assert "the helper was here: $HOME; false\n" in result.err, "its words are the operator's"
    assert 2 <= int(count.read_text()) < 12


@pytest.mark.parametrize("command, code, words", [
    (f"sh -c 'echo {SECRET_KEY}; exit 3' {SECRET_KEY}", 77, "'sh' failed: exit status 3"),
    (f"echo {SECRET_KEY}", 77, "what it prints: not a flat JSON object"),
    (f"/nonexistent/helper {SECRET_KEY}", 64, "'/nonexistent/helper' cannot be run"),
    ("cat /dev/zero", 77, "prints more than 65536 bytes"),
    ("'helper", 64, "has a quote that does not end"),
])
def test_credential_process_that_gives_none(server, tmp_path, command, code, words):
    result = restore(server, tmp_path / "data", env=profile_with(tmp_path, command))
    assert result.code == code, result.err
    assert words in result.error
    assert not server.requests


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_program_is_not_left_behind(server, tmp_path, number):
    """Nor what it has started itself."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    process = start("list", *source_args(server),
                    env=profile_with(tmp_path, f"sh -c 'echo here > {fifo}; sleep 600 > {fifo}'"))
    with open(fifo, "rb") as running:
        assert running.readline() == b"here\n"
        with open(fifo, "rb") as sleeping:  # waits until the second one is under way
            process.send_signal(number)
            result = finish(process, timeout=60)
            assert result.code == 75, result.err
            assert "interrupted" in result.error
            ready, _, _ = select.select([sleeping], [], [], 60)
            assert ready and sleeping.read() == b"", "its pipe has an end once it is gone"


# Containers

class Agent(http.server.ThreadingHTTPServer):
    """What ECS and EKS put beside a container; wants to see the token of now."""

    def __init__(self, credentials):
        super().__init__(("127.0.0.1", 0), Answer)
        self.credentials, self.token, self.asked = credentials, "token-1", 0
        self.url = f"http://127.0.0.1:{self.server_port}/v1/credentials"

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
        self.thread.join()


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        agent = self.server
        agent.asked += 1
        access_key, secret_key, token, end = agent.credentials.now()
        good = self.headers.get("Authorization") == agent.token
        body = json.dumps({"AccessKeyId": access_key, "SecretAccessKey": secret_key, "Token": token,
                           "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end)),
                           "AccountId": "111122223333"}).encode() if good else b"{}"
        self.send_response(200 if good else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_container_with_a_token_file(tmp_path):
    """The token is replaced while the restore runs, as EKS does."""
    backup = long_backup()
    token_file = tmp_path / "token"
    token_file.write_text("token-1")
    with slowly(backup.store, 3) as server:
        server.keys = {}
        rotation = Rotation(server.keys, SECRET_KEY, SESSION_TOKEN, every_s=1, life_s=3)
        with Agent(rotation) as agent:
            def replace():
                agent.token = "token-2"
                (tmp_path / "next").write_text("token-2")
                os.replace(tmp_path / "next", token_file)
            timer = threading.Timer(1, replace)
            timer.start()
            result = restore(server, tmp_path / "data", "--connections", "2", env={
                **NO_KEYS, "AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.url,
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token_file)})
            timer.join()
        check_restored(result, backup, tmp_path / "data")
        assert len(set(keys_used(server))) >= 2
        assert agent.asked < 12


@pytest.mark.parametrize("url", ["http://127.0.0.1@10.0.0.1/", "http://10.0.0.1/", "@10.0.0.1/"])
def test_container_elsewhere_is_never_asked(server, tmp_path, url):
    name = "AWS_CONTAINER_CREDENTIALS_" + ("FULL" if "//" in url else "RELATIVE") + "_URI"
    began = time.monotonic()
    result = restore(server, tmp_path / "data", env={
        **NO_KEYS, name: url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": SESSION_TOKEN})
    assert result.code == 64, result.err
    assert name in result.error
    assert time.monotonic() - began < 10
