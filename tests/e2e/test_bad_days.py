"""Whatever goes wrong: the documented exit code, one line that helps, no partial file under a final
name, and the target as it was or ready for a rerun."""

import datetime
import os
import re
import ssl

import pytest
import trustme
from conftest import ACCESS_KEY, SECRET_KEY, SESSION_TOKEN, penates, sha256_tree, source_args, start
from fake_s3 import FakeS3, Fault
from small_backup import NODE, SECOND, TABLE, SmallBackup, snappy, standard

DATA = "nb-1-big-Data.db"
SOON = ["--retry-for", "2s"]


def restore(server, target, *args, env=None, **options):
    return penates("restore", *source_args(server), "--into", target, *SOON, *args, env=env,
                   **options)


def check_no_partial_file(target, backup):
    """Every file that has its final name is whole."""
    if not target.exists():
        return
    for path in target.rglob("*"):
        name = str(path.relative_to(target))
        if path.is_file() and not name.startswith(".penates/"):
            assert path.read_bytes() == backup.plain[name], name


def check_failure(result, code, words, target, backup):
    assert result.code == code, result.err
    assert re.search(words, result.error), result.error
    assert "; " in result.error, "no next step"
    check_no_partial_file(target, backup)


def untouched(target):
    return not target.exists()


@pytest.fixture
def backup():
    return standard()


@pytest.fixture
def server(backup):
    with FakeS3(backup.store) as fake:
        yield fake


def one_object(backup, change):
    """Replaces the stored bytes of the first Data.db, ETag and all, before the listing."""
    key = backup.key(DATA)
    backup.store.put(key, change(backup.store.objects[key].body.data))


# Objects that were bad when they were uploaded: the ETag is right, the bytes are not.

BAD_OBJECTS = {
    "cut in a block": (lambda b: b[:-100], 65, "ends early|truncated"),
    "cut in a length word": (lambda b: b + b"\0\0", 65, "ends early|truncated"),
    "cut in the header": (lambda b: b[:10], 65, "ends early|truncated|Data.db"),
    "empty": (lambda b: b"", 65, "Data.db"),
    "cut at a block border": (lambda b: b[: 16 + 4 + 32774], 65, "size|bytes"),
    "flipped bit in the body": (lambda b: flip(b, 5000), 65, "igest"),
    "flipped bit in the header": (lambda b: flip(b, 3), 65, "Data.db"),
    "flipped bit in a length word": (lambda b: flip(b, 16), 65, "Data.db"),
    "huge length word": (lambda b: b[:16] + b"\x7f\xff\xff\xff" + b[20:], 65, "Data.db"),
    "huge block preamble": (lambda b: b[:20] + b"\xff\xff\xff\xff\x07" + b[25:], 65, "Data.db"),
    "not snappy at all": (lambda b: b"plain text, no magic" * 100, 65, "Data.db"),
}


def flip(data, at):
    out = bytearray(data)
    out[at] ^= 1
    return bytes(out)


@pytest.mark.parametrize("name", BAD_OBJECTS)
def test_bad_object(backup, server, tmp_path, name):
    change, code, words = BAD_OBJECTS[name]
    one_object(backup, change)
    target = tmp_path / "data"
    check_failure(restore(server, target), code, words, target, backup)
    assert not (target / "ks" / TABLE / DATA).exists()
    assert not (target / ".penates" / "restored").exists()


# Lies of the network that end well: retried, resumed, never noticed.

RETRIED = {
    "500": Fault(key=DATA, status=500),
    "503": Fault(key=DATA, status=503, code="SlowDown", message="Please reduce your request rate."),
    "closed before the status line": Fault(key=DATA, close_first=True),
    "reset at byte 0": Fault(key=DATA, reset_at=0),
    "reset in the middle": Fault(key=DATA, reset_at=70000),
    "reset at the last byte": Fault(key=DATA, reset_at=139990),
    "cut in the middle": Fault(key=DATA, truncate_at=70000),
    "error in a 200": Fault(key=DATA, error_in_200="InternalError"),
    "wrong range": Fault(key=DATA, reset_at=500, times=1),
    "500 on the listing": Fault(kind="list", status=500),
    "503 on the manifest": Fault(key="META_V2", status=503, code="SlowDown"),
    "chunked": Fault(key=DATA, chunked=True),
    "bit flipped on the way": None,
}


@pytest.mark.parametrize("name", [n for n in RETRIED if RETRIED[n]])
def test_retried(backup, tmp_path, name):
    with FakeS3(backup.store) as server:
        fault = RETRIED[name]
        fault.used = fault.seen = 0
        server.faults.append(fault)
        target = tmp_path / "data"
        result = restore(server, target, "--retry-for", "30s")
        assert result.code == 0, result.err
        check_no_partial_file(target, backup)
        assert set(sha256_tree(target)) == set(backup.plain)
        assert fault.used == 1


@pytest.mark.parametrize("part", ["first", "last"])
def test_faults_in_ranged_parts(tmp_path, part):
    """An object of many parts, with every kind of trouble in one of them."""
    backup = SmallBackup()
    backup.add_sstable(1, os.urandom(5 << 20))
    backup.seal()
    for lie in ({"reset_at": 1000}, {"truncate_at": 1}, {"wrong_range": True}, {"status": 500},
                {"ignore_range": True}, {"close_first": True}, {"error_in_200": "SlowDown"}):
        with FakeS3(backup.store) as server:
            after = 0 if part == "first" else 4
            server.faults.append(Fault(key=DATA, after=after, **lie))
            target = tmp_path / f"data-{next(iter(lie))}"
            result = restore(server, target, "--part-size", "1M", "--retry-for", "30s")
            assert result.code == 0, (lie, result.err)
            check_no_partial_file(target, backup)


def test_bit_flipped_on_the_way(backup, server, tmp_path):
    """The stored object is good; what arrives is not, each time."""
    server.faults.append(Fault(key=DATA, flip_at=5000, times=None))
    target = tmp_path / "data"
    check_failure(restore(server, target), 65, "Data.db", target, backup)


def test_lying_range_forever(tmp_path):
    backup = SmallBackup()
    backup.add_sstable(1, os.urandom(3 << 20))
    backup.seal()
    with FakeS3(backup.store) as server:
        server.faults.append(Fault(key=DATA, wrong_range=True, times=None))
        target = tmp_path / "data"
        result = restore(server, target, "--part-size", "1M")
        assert result.code in (65, 69), result.err
        assert "Data.db" in result.error
        check_no_partial_file(target, backup)


# Objects that change under the restore

def test_replaced_between_listing_and_get(backup, server, tmp_path):
    key = backup.key(DATA)
    server.faults.append(Fault(key=DATA, act=lambda s, r: s.store.put(key, snappy(b"other" * 9000))))
    target = tmp_path / "data"
    check_failure(restore(server, target), 75, "changed|replaced", target, backup)
    assert not (target / "ks" / TABLE / DATA).exists()


def test_replaced_between_parts(tmp_path):
    backup = SmallBackup()
    backup.add_sstable(1, os.urandom(6 << 20))
    backup.seal()
    key = backup.key(DATA)
    with FakeS3(backup.store) as server:
        server.faults.append(Fault(
            key=DATA, after=3, act=lambda s, r: s.store.put(key, snappy(os.urandom(6 << 20)))))
        target = tmp_path / "data"
        result = restore(server, target, "--part-size", "1M", "--connections", "8")
        check_failure(result, 75, "changed|replaced", target, backup)


def test_deleted_in_the_middle(backup, server, tmp_path):
    key = backup.key("nb-2-big-Data.db")
    server.faults.append(
        Fault(key="nb-2-big-Data.db", status=404, code="NoSuchKey", times=None))
    target = tmp_path / "data"
    check_failure(restore(server, target), 66, "nb-2-big-Data.db", target, backup)
    assert key in backup.store.objects


# Manifests

BAD_MANIFESTS = {
    "cut": (lambda m: m[: len(m) // 2], 65, "manifest|meta_v2"),
    "not JSON": (lambda m: b"{]" + m, 65, "manifest|meta_v2"),
    "empty": (lambda m: b"", 65, "manifest|meta_v2"),
    "wrong shape": (lambda m: b'{"info":1,"data":[[[]]]}', 65, "manifest|meta_v2"),
    "deep": (lambda m: b"[" * 100000, 65, "manifest|meta_v2"),
    "long string": (lambda m: b'{"data":"' + b"x" * 10_000_000 + b'"}', 65, "manifest|meta_v2"),
    "absent object": (lambda m: m.replace(b"nb-2-big-Data.db", b"nb-7-big-Data.db"), 66, "nb-7-big"),
    "outside its prefix": (
        lambda m: m.replace(f"{NODE}/SST_V2".encode(), b"backup/1049_fake-app/99/SST_V2"), 78,
        "outside|not below|another"),
    "dot dot": (lambda m: m.replace(b"nb-1-big-Data.db", b".."), 78, r"\.\."),
    "escape by table": (lambda m: m.replace(TABLE.encode(), b"..", 1), 78, r"\.\."),
}


@pytest.mark.parametrize("name", BAD_MANIFESTS)
def test_bad_manifest(backup, server, tmp_path, name):
    change, code, words = BAD_MANIFESTS[name]
    backup.seal(change(backup.manifest()))
    target = tmp_path / "data"
    check_failure(restore(server, target), code, words, target, backup)
    assert untouched(target), "written before the plan was proven"


def test_zero_byte_manifest(backup, server, tmp_path):
    backup.store.put(backup.meta_key, b"")
    target = tmp_path / "data"
    check_failure(restore(server, target), 65, "meta_v2", target, backup)
    assert untouched(target)


# Listings

@pytest.mark.parametrize("lie, code", [
    ({"repeat_token": True}, 65), ({"endless": True}, 65), ({"empty_pages": True}, 65),
    ({"list_body": b"<ListBucketResult><IsTruncated>fal"}, 65), ({"list_body": b"no XML"}, 65),
    ({"list_body": b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><ListBucketResult/>"}, 65),
])
def test_lying_listing(backup, server, tmp_path, lie, code):
    server.faults.append(Fault(kind="list", times=None, **lie))
    target = tmp_path / "data"
    result = restore(server, target, timeout=60)
    check_failure(result, code, "list", target, backup)
    assert untouched(target)
    assert len(server.requests) < 100


def test_one_page_of_no_keys(backup, server, tmp_path):
    for key in list(backup.store.objects):
        backup.store.delete(key)
    target = tmp_path / "data"
    check_failure(restore(server, target), 66, "backup", target, backup)
    assert untouched(target)
    assert len(server.requests) < 10


# Rights, clocks, addresses

def refused_by(server, target, code, words, backup, env=None, *args):
    check_failure(restore(server, target, *args, env=env), code, words, target, backup)
    assert untouched(target)


def test_wrong_secret(backup, server, tmp_path):
    refused_by(server, tmp_path / "d", 77, "SignatureDoesNotMatch", backup,
               {"AWS_SECRET_ACCESS_KEY": "wrong"})


def test_unknown_key(backup, server, tmp_path):
    refused_by(server, tmp_path / "d", 77, "InvalidAccessKeyId", backup,
               {"AWS_ACCESS_KEY_ID": "AKIANOBODYKNOWSTHIS1"})


def test_expired_token(backup, server, tmp_path):
    server.keys[ACCESS_KEY] = (SECRET_KEY, SESSION_TOKEN, 1)
    refused_by(server, tmp_path / "d", 77, "ExpiredToken", backup,
               {"AWS_SESSION_TOKEN": SESSION_TOKEN})


def test_no_credentials_at_all(backup, server, tmp_path):
    refused_by(server, tmp_path / "d", 77, "credentials", backup,
               {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None})


def test_may_not_list(backup, server, tmp_path):
    server.faults.append(Fault(kind="list", status=403, code="AccessDenied", times=None,
                               message="not authorized to perform: s3:ListBucket"))
    refused_by(server, tmp_path / "d", 77, "ListBucket", backup)


def test_may_not_get(backup, server, tmp_path):
    server.faults.append(Fault(kind="get", key="SST_V2", status=403, code="AccessDenied",
                               message="Access Denied", times=None))
    refused_by(server, tmp_path / "d", 77, "AccessDenied", backup)


def test_kms_denied(backup, server, tmp_path):
    server.faults.append(Fault(
        kind="get", key="SST_V2", status=403, code="AccessDenied", times=None,
        message="User is not authorized to perform: kms:Decrypt on the resource"))
    refused_by(server, tmp_path / "d", 77, "kms:Decrypt|KMS", backup)


def test_wrong_region_is_found(backup, tmp_path):
    with FakeS3(backup.store, region="eu-west-1") as server:
        target = tmp_path / "data"
        result = restore(server, target)  # AWS_REGION says us-east-1
        assert result.code == 0, result.err
        refused = [r for r in server.requests if r.status == 400]
        assert len(refused) == 1, "the region is learned once"


@pytest.mark.parametrize("offset", [-3600, 3600])
def test_clock_off_by_an_hour(backup, tmp_path, offset):
    with FakeS3(backup.store, clock_offset=offset) as server:
        result = restore(server, tmp_path / "data")
        assert result.code == 0, result.err
        assert len([r for r in server.requests if r.status == 403]) <= 2


def test_no_bucket(backup, server, tmp_path):
    target = tmp_path / "data"
    result = penates("restore", "s3://nowhere/backup", "--endpoint", server.endpoint,
                     "--path-style", "--into", target, *SOON)
    check_failure(result, 66, "NoSuchBucket|nowhere", target, backup)


def test_unreachable(backup, tmp_path):
    target = tmp_path / "data"
    result = penates("restore", "s3://backups/backup", "--endpoint", "http://127.0.0.1:9",
                     "--path-style", "--into", target, *SOON)
    check_failure(result, 69, "127.0.0.1", target, backup)
    assert untouched(target)


def test_dns_failure(backup, tmp_path):
    target = tmp_path / "data"
    result = penates("restore", "s3://backups/backup", "--endpoint", "http://no-such-host.invalid",
                     "--path-style", "--into", target, *SOON)
    check_failure(result, 69, "no-such-host.invalid", target, backup)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def tls_server(authority, backup, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return FakeS3(backup.store, tls=context)


def test_tls(backup, authority, tmp_path):
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    with tls_server(authority, backup, "127.0.0.1") as server:
        result = restore(server, tmp_path / "data", "--ca-file", ca)
        assert result.code == 0, result.err


def test_tls_certificate_of_another(backup, authority, tmp_path):
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    with tls_server(authority, backup, "elsewhere.example") as server:
        target = tmp_path / "data"
        result = restore(server, target, "--ca-file", ca)
        check_failure(result, 69, "certificate|SSL|TLS", target, backup)
        assert server.requests == []


def test_tls_unknown_authority(backup, authority, tmp_path):
    with tls_server(authority, backup, "127.0.0.1") as server:
        target = tmp_path / "data"
        check_failure(restore(server, target), 69, "certificate|SSL|TLS", target, backup)


# Stalls

def test_stalled_transfer_is_cut_and_asked_again(backup, server, tmp_path):
    server.faults.append(Fault(key=DATA, stall_at=70000))
    result = restore(server, tmp_path / "data", "--retry-for", "60s", timeout=90)
    assert result.code == 0, result.err


# Archived objects

def test_archived(backup, server, tmp_path):
    backup.store.objects[backup.key(DATA)].storage_class = "GLACIER"
    refused_by(server, tmp_path / "d", 78, "GLACIER|archive", backup)


# Targets

def test_target_with_foreign_files(backup, server, tmp_path):
    target = tmp_path / "data"
    (target / "ks" / TABLE).mkdir(parents=True)
    foreign = target / "ks" / TABLE / "nb-1-big-Data.db"
    foreign.write_bytes(b"precious")
    result = restore(server, target)
    assert result.code == 78, result.err
    assert "ks" in result.error
    assert foreign.read_bytes() == b"precious"
    assert sorted(p.name for p in target.iterdir()) == ["ks"]


def test_target_is_a_file(backup, server, tmp_path):
    target = tmp_path / "data"
    target.write_text("x")
    result = restore(server, target)
    assert result.code in (73, 78), result.err
    assert target.read_text() == "x"


def test_symlink_in_the_target(backup, server, tmp_path):
    target, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    target.mkdir()
    elsewhere.mkdir()
    (target / "ks").symlink_to(elsewhere)
    result = restore(server, target)
    assert result.code == 78, result.err
    assert list(elsewhere.iterdir()) == []


def test_two_runs_on_one_target(backup, server, tmp_path):
    server.faults.append(Fault(key=r"nb-[12]-big-Data.db", after=1, stall_at=70000, stall_s=20))
    target = tmp_path / "data"
    first = start("restore", *source_args(server), "--into", target)
    try:
        import time

        end = time.monotonic() + 20
        while not (target / ".penates" / "lock").exists() and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.3)
        second = restore(server, target)
        assert second.code == 78, second.err
        assert str(first.pid) in second.error
    finally:
        first.kill()
        first.communicate()


def test_unknown_option():
    result = penates("restore", "s3://b/x", "--int", "/tmp/x")
    assert result.code == 64
    assert "--into" in result.error


def test_unknown_command():
    result = penates("retsore")
    assert result.code == 64
    assert "restore" in result.error


# Credentials that rotate, from a strict metadata service

def test_instance_role(backup, server, tmp_path):
    from fake_s3.imds import FakeIMDS

    server.keys["ASIAROTATING00000001"] = (SECRET_KEY, SESSION_TOKEN, None)
    with FakeIMDS(("ASIAROTATING00000001", SECRET_KEY, SESSION_TOKEN)) as imds:
        imds.fail_next = [500]
        result = restore(server, tmp_path / "data", env={
            "AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None,
            "AWS_EC2_METADATA_DISABLED": None,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.endpoint})
        assert result.code == 0, result.err
        assert len(imds.requests) < 10, "credentials are asked for once, not per request"


def test_times_are_what_they_say():
    """The constants above and the clock agree."""
    point = datetime.datetime.fromtimestamp((SECOND + 5000) / 1000, datetime.timezone.utc)
    assert point.isoformat() == "2023-11-14T22:13:25+00:00"
