"""penates doctor: what works is called ok, what does not is named, and the rest goes on."""

import http.server
import os
import pty
import socket
import ssl
import subprocess
import threading
import time

import pytest
import trustme
from conftest import (BINARY, DATA, check_no_secret, environment, penates, source_args)
from fake_s3 import FakeS3, Fault, tree_store
from small_backup import TOKEN, standard
from test_cli import check_schema

SOON = ["--retry-for", "1s"]
OF_A_BUCKET = ["credentials", "endpoint", "clock", "list", "region", "backup", "objects", "get",
               "encryption"]


def doctor(*args, code=0, **options):
    """The checks by name, from JSON that keeps to its schema."""
    result = penates("doctor", *args, "--json", **options)
    check_schema(result.json, "doctor")
    assert result.code == code, result.out + result.err
    assert result.json["exit_code"] == code
    assert result.json["ok"] == (code == 0)
    checks = {check["name"]: check for check in result.json["checks"]}
    failed = [check for check in result.json["checks"] if check["state"] == "failed"]
    if code != 0:
        assert result.error == (f"penates: error: {failed[0]['text']}; {failed[0]['next_step']}")
    else:
        assert not failed
        assert "penates: error" not in result.err
    return checks


def states(checks):
    return {name: check["state"] for name, check in checks.items()}


def test_all_is_well(backup_s3, tmp_path):
    target = tmp_path / "data"
    target.mkdir()
    checks = doctor(*source_args(backup_s3), "--into", target)
    assert list(checks) == [*OF_A_BUCKET, "target", "disk", "limits"]
    assert set(states(checks).values()) == {"ok"}
    assert "environment: key ...0001" in checks["credentials"]["text"]
    assert backup_s3.endpoint in checks["endpoint"]["text"]
    assert "from AWS_REGION" in checks["region"]["text"]
    assert backup_s3.fixture.name.replace("priam", "fix").replace("-", "_") in \
        checks["backup"]["text"]
    assert ", none archived: STANDARD " in checks["objects"]["text"]
    assert list(target.iterdir()) == []
    unsigned = [r for r in backup_s3.requests if "authorization" not in r.headers]
    assert [r.method for r in unsigned] == ["HEAD"], "one question without credentials"
    assert len(backup_s3.requests) < 20


def test_table_on_pipe_and_terminal(backup_s3):
    args = [BINARY, "doctor", *source_args(backup_s3)]
    piped = penates(*args[1:])
    assert piped.code == 0
    lines = piped.out.splitlines()
    assert lines[0].split() == ["CHECK", "STATE", "WHAT"]
    assert [line.split()[0] for line in lines[1:]] == [*OF_A_BUCKET, "target", "limits"]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(args, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL,
                               env=environment())
    os.close(theirs)
    text = b""
    try:
        while part := os.read(ours, 65536):
            text += part
    except OSError:  # how a terminal ends
        pass
    os.close(ours)
    assert process.wait(30) == 0
    check_no_secret(text.decode())
    assert b"\x1b" not in text
    assert [line.split()[0] for line in text.decode().splitlines()] == \
        ["CHECK", *OF_A_BUCKET, "target", "limits"]


def test_wrong_secret(backup_s3, tmp_path):
    checks = doctor(*source_args(backup_s3), "--into", tmp_path / "data", code=77,
                    env={"AWS_SECRET_ACCESS_KEY": "wrong"})
    found = states(checks)
    assert found["credentials"] == found["endpoint"] == found["clock"] == "ok"
    assert "SignatureDoesNotMatch" in checks["list"]["text"]
    assert {found[name] for name in ("backup", "objects", "get", "encryption")} == {"skipped"}
    assert found["target"] == found["disk"] == "ok"
    restore = penates("restore", *source_args(backup_s3), "--into", tmp_path / "data",
                      env={"AWS_SECRET_ACCESS_KEY": "wrong"})
    assert restore.error == \
        f"penates: error: {checks['list']['text']}; {checks['list']['next_step']}"


def test_no_credentials(backup_s3, tmp_path):
    checks = doctor(*source_args(backup_s3), "--into", tmp_path, code=77,
                    env={"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None})
    assert checks["credentials"]["state"] == "failed"
    assert checks["endpoint"]["state"] == checks["disk"]["state"] == "ok"
    assert checks["list"]["text"] == "there are no credentials"
    assert backup_s3.count("list") == 0


def expiry(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


@pytest.mark.parametrize("seconds, state, words", [
    (7 * 3600, "ok", "for 6 h 5"),
    (1800, "warned", "for 29 min, not renewed"),
    (None, "warned", "temporary, and not told until when"),
])
def test_how_long_credentials_live(seconds, state, words):
    from fake_s3.server import ACCESS_KEY, SECRET_KEY

    with FakeS3(standard().store) as server:
        token = "penates-test-session-token-never-to-be-seen"
        server.keys = {ACCESS_KEY: (SECRET_KEY, token, None)}
        # From now on: the tests before this one may take longer than what is told.
        ends = None if seconds is None else expiry(seconds)
        checks = doctor(*source_args(server), env={"AWS_SESSION_TOKEN": token,
                                                   "AWS_CREDENTIAL_EXPIRATION": ends})
        assert checks["credentials"]["state"] == state
        assert words in checks["credentials"]["text"]


@pytest.mark.parametrize("offset, state, words", [
    (20, "ok", "within "),
    (-300, "warned", "5 min ahead of the store's"),
    (3630, "warned", "60 min behind the store's: S3 refuses that"),
])
def test_clock(offset, state, words):
    with FakeS3(standard().store, clock_offset=offset) as server:
        checks = doctor(*source_args(server))
        assert checks["clock"]["state"] == state
        assert words in checks["clock"]["text"]
        assert checks["get"]["state"] == "ok"


def test_another_region():
    with FakeS3(standard().store, region="eu-central-1") as server:
        checks = doctor(*source_args(server))
        assert checks["region"]["state"] == "warned"
        assert checks["region"]["text"] == \
            "us-east-1, from AWS_REGION, but the bucket is in eu-central-1"
        assert "--region eu-central-1" in checks["region"]["next_step"]
        checks = doctor(*source_args(server), "--region", "eu-central-1")
        assert checks["region"]["text"] == "eu-central-1, from --region"
        checks = doctor(*source_args(server), env={"AWS_REGION": None})
        assert checks["region"]["text"] == \
            "eu-central-1, as the bucket says; nobody else named one"


def denial(kind, message="Access Denied"):
    return Fault(kind=kind, status=403, code="AccessDenied", message=message, times=None)


def test_list_denied():
    with FakeS3(standard().store) as server:
        server.faults.append(denial("list"))
        checks = doctor(*source_args(server), code=77)
        assert states(checks)["list"] == "failed"
        assert {states(checks)[n] for n in ("backup", "objects", "get")} == {"skipped"}


def test_get_denied():
    with FakeS3(standard().store) as server:
        server.faults.append(denial("get"))
        checks = doctor(*source_args(server), code=77)
        found = states(checks)
        assert found["list"] == found["backup"] == found["objects"] == "ok"
        assert found["get"] == "failed"
        assert found["encryption"] == "skipped"


def encrypted(how):
    backup = standard()
    for thing in backup.store.objects.values():
        thing.headers["x-amz-server-side-encryption"] = how
    return backup.store


@pytest.mark.parametrize("how, words", [("AES256", "SSE-S3: decrypted"),
                                        ("aws:kms", "SSE-KMS: decrypted")])
def test_encryption(how, words):
    with FakeS3(encrypted(how)) as server:
        assert doctor(*source_args(server))["encryption"]["text"] == words


def test_kms_denied():
    """A HEAD takes no key, so it still tells which encryption it is that stands in the way."""
    words = ("User: arn:aws:iam::1:role/r is not authorized to perform: kms:Decrypt on the "
             "resource associated with this ciphertext")
    with FakeS3(encrypted("aws:kms")) as server:
        server.faults.append(denial("get", words))
        checks = doctor(*source_args(server), code=77)
        assert states(checks)["get"] == states(checks)["encryption"] == "failed"
        assert "kms:Decrypt" in checks["encryption"]["text"]


def test_nothing_there(tmp_path):
    with FakeS3() as server:
        checks = doctor(*source_args(server), "--into", tmp_path, code=66)
        assert states(checks)["list"] == "warned"
        assert "allowed" in checks["list"]["text"]
        assert states(checks)["backup"] == "failed"
        assert states(checks)["disk"] == "ok"


def test_choice_left_open():
    """Several clusters are for a restore to choose from, and no failure of what it needs."""
    store = tree_store(DATA / "priam-v1")
    for key, thing in tree_store(DATA / "priam-v2").objects.items():
        store.put(key, thing.body.data)
    with FakeS3(store) as server:
        checks = doctor(*source_args(server))
        assert checks["backup"]["state"] == "warned"
        assert "fix_v1, fix_v2" in checks["backup"]["text"]
        assert "--cluster" in checks["backup"]["next_step"]
        assert checks["get"]["state"] == "ok"
        checks = doctor(*source_args(server), "--cluster", "fix_v2")
        assert checks["backup"]["state"] == "ok"
        checks = doctor(*source_args(server), "--cluster", "fix_v2", "--token", "5", code=64)
        assert checks["backup"]["state"] == "failed"


def test_archived():
    backup = standard()
    cold = [key for key in backup.store.objects if "/nb-2-" in key]
    for key in cold:
        backup.store.objects[key].storage_class = "GLACIER"
    with FakeS3(backup.store) as server:
        checks = doctor(*source_args(server))
        assert checks["objects"]["state"] == "warned"
        assert "--thaw" in checks["objects"]["next_step"]
        assert f"GLACIER {len(cold)}" in checks["objects"]["text"]


def test_archived_manifest():
    """A restore with --thaw gets past it, so it is no failure; another object is fetched."""
    backup = standard()
    backup.store.objects[backup.meta_key].storage_class = "GLACIER"
    with FakeS3(backup.store) as server:
        checks = doctor(*source_args(server))
        assert states(checks)["backup"] == "warned"
        assert "its manifest is archived" in checks["backup"]["text"]
        assert "--thaw" in checks["backup"]["next_step"]
        assert states(checks)["get"] == "ok"
        assert backup.meta_key not in server.counts_by_key("get")
        for thing in backup.store.objects.values():
            thing.storage_class = "DEEP_ARCHIVE"
        checks = doctor(*source_args(server))
        assert states(checks)["get"] == states(checks)["encryption"] == "skipped"
        assert checks["get"]["text"] == "no object was seen that is not archived"


def test_dead_endpoint(tmp_path):
    begin = time.monotonic()
    checks = doctor("s3://backups/backup", "--endpoint", "http://127.0.0.1:9", *SOON, "--into",
                    tmp_path / "data", code=69)
    assert time.monotonic() - begin < 10
    assert checks["endpoint"]["state"] == "failed"
    assert "127.0.0.1" in checks["endpoint"]["text"]
    assert checks["list"]["state"] == "skipped"
    assert checks["disk"]["state"] == "ok"


def test_silent_endpoint():
    """It takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        begin = time.monotonic()
        checks = doctor("s3://backups/backup", "--endpoint",
                        f"http://127.0.0.1:{server.getsockname()[1]}", *SOON, code=69)
        assert time.monotonic() - begin < 10
        assert checks["endpoint"]["state"] == "failed"


@pytest.mark.parametrize("kind", ["list", "get"])
def test_store_that_falls_silent(kind):
    with FakeS3(standard().store) as server:
        if kind == "get":
            server.faults.append(Fault(kind="get", stall_at=1, times=None))
        else:
            server.faults.append(Fault(kind="list", act=lambda *_: time.sleep(3)))
            server.faults.append(Fault(kind="list", close_first=True, times=None))
        begin = time.monotonic()
        checks = doctor(*source_args(server), *SOON, code=69)
        assert time.monotonic() - begin < 15
        assert checks["endpoint"]["state"] == "ok"
        assert checks[kind]["state"] == "failed"


class WebPage(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"<html><body>It works!</body></html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


def test_not_s3_at_all():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), WebPage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            result = penates("doctor", "s3://backups/backup", "--endpoint",
                             f"http://127.0.0.1:{server.server_port}", *SOON, "--json")
        finally:
            server.shutdown()
            thread.join()
    checks = {check["name"]: check for check in result.json["checks"]}
    assert result.code != 0
    assert "not as S3 does" in checks["endpoint"]["text"]
    assert checks["list"]["state"] == "failed"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def test_tls(authority, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with FakeS3(standard().store, tls=context) as server:
        checks = doctor(*source_args(server), "--ca-file", tmp_path / "ca.pem")
        assert "TLSv1.3, certificate good" in checks["endpoint"]["text"]
        checks = doctor(*source_args(server), *SOON, code=69)
        assert "certificate" in checks["endpoint"]["text"]
        assert "--ca-file" in checks["endpoint"]["next_step"]


def test_unsigned():
    with FakeS3(standard().store, signed=False) as server:
        checks = doctor(*source_args(server), "--no-sign")
        assert checks["credentials"]["state"] == "skipped"
        assert checks["get"]["state"] == "ok"


def test_directory(backup, tmp_path):
    store = tree_store(backup)
    for key, thing in store.objects.items():
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(thing.body.data)
    checks = doctor(tmp_path / "backup", "--into", tmp_path / "data")
    assert list(checks) == ["list", "backup", "objects", "get", "target", "disk", "limits"]
    assert set(states(checks).values()) == {"ok"}
    checks = doctor(tmp_path / "absent" / "deep", "--into", tmp_path / "data", code=66)
    assert checks["disk"]["state"] == "ok"


def test_target_that_is_refused(backup_s3, tmp_path):
    (tmp_path / "stranger").write_text("x")
    checks = doctor(*source_args(backup_s3), "--into", tmp_path, code=78)
    assert "'stranger' is not of this restore" in checks["target"]["text"]
    assert checks["disk"]["state"] == "ok"
    assert [path.name for path in tmp_path.iterdir()] == ["stranger"]


def test_target_that_cannot_be_made(backup_s3):
    checks = doctor(*source_args(backup_s3), "--into", "/proc/data", code=73)
    assert "failed" in (checks["target"]["state"], checks["disk"]["state"])


def test_several_directories(backup_s3, tmp_path):
    result = penates("doctor", *source_args(backup_s3), "--into", tmp_path / "a", "--into",
                     tmp_path / "b", "--json")
    assert result.code == 0, result.err
    disks = [check for check in result.json["checks"] if check["name"] == "disk"]
    assert [check["text"].split(":")[0] for check in disks] == [str(tmp_path / name)
                                                                for name in "ab"]


def test_one_token_among_several():
    """Of a backup with many nodes one is looked at, and all are counted."""
    backup = standard()
    for key in list(backup.store.objects):
        thing = backup.store.objects[key]
        backup.store.put(key.replace(f"/{TOKEN}/", "/42/"), thing.body.data)
    with FakeS3(backup.store) as server:
        checks = doctor(*source_args(server))
        assert checks["backup"]["state"] == "ok"
        assert "2 nodes" in checks["backup"]["text"]
