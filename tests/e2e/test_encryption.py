"""Objects encrypted with a key of the customer or of KMS, and buckets that ask for more headers."""

import base64
import hashlib

import pytest
from conftest import penates, source_args
from fake_s3 import Fault
from real_servers import MiniStack
from small_backup import standard

KEY = bytes(range(100, 132))
KEY_TEXT = base64.b64encode(KEY).decode()
WRONG_MD5 = "0123456789abcdef0123456789abcdef"


def key_file(tmp_path, content=KEY):
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o400)
    return path


def check_restored(backup, target):
    for name, plain in backup.plain.items():
        assert (target / name).read_bytes() == plain


@pytest.fixture
def encrypted(s3):
    """As SSE-C leaves them: their ETags look like an MD5 and are none."""
    backup = standard()
    for thing in backup.store.objects.values():
        thing.sse_c_md5 = base64.b64encode(hashlib.md5(KEY).digest()).decode()
        thing.etag = WRONG_MD5
    s3.store, s3.backup = backup.store, backup
    return s3


@pytest.mark.parametrize("content", [KEY, KEY_TEXT.encode() + b"\n"])
def test_customer_key(encrypted, tmp_path, content):
    result = penates("restore", *source_args(encrypted), "--sse-c-key-file",
                     key_file(tmp_path, content), "--into", tmp_path / "data", "-v")
    assert result.code == 0, result.err
    check_restored(encrypted.backup, tmp_path / "data")
    assert KEY_TEXT not in result.err + result.out
    for request in encrypted.requests:
        told = [name for name in request.headers if "customer" in name]
        assert len(told) == (0 if request.kind == "list" else 3)
        signed = request.headers["authorization"]
        assert all(name in signed for name in told)


@pytest.mark.parametrize("content, word", [(None, "--sse-c-key-file"),
                                           (KEY[::-1], "--sse-c-key-file")])
def test_customer_key_missing_or_wrong(encrypted, tmp_path, content, word):
    extra = ["--sse-c-key-file", key_file(tmp_path, content)] if content else []
    result = penates("restore", *source_args(encrypted), *extra, "--into", tmp_path / "data")
    assert result.code == 77, result.err
    assert word in result.error and "customer's key" in result.error
    assert not (tmp_path / "data").exists()


def test_customer_key_for_plain_objects(s3, tmp_path):
    s3.store = standard().store
    result = penates("restore", *source_args(s3), "--sse-c-key-file", key_file(tmp_path),
                     "--into", tmp_path / "data")
    assert result.code == 64, result.err
    assert "without --sse-c-key-file" in result.error


def test_customer_key_stays_here(tmp_path):
    result = penates("plan", "s3://bucket/x", "--endpoint", "http://store.example.com", "--no-sign",
                     "--sse-c-key-file", key_file(tmp_path))
    assert result.code == 64, result.err
    assert "in the clear" in result.error


@pytest.mark.parametrize("headers", [
    {"x-amz-server-side-encryption": "aws:kms"},
    {"x-amz-server-side-encryption": "aws:kms:dsse"},
])
def test_kms(s3, tmp_path, headers):
    """The ETag is no MD5, and is not taken for one; under SSE-S3 it is one."""
    backup = standard()
    for thing in backup.store.objects.values():
        thing.headers, thing.etag = headers, WRONG_MD5
    s3.store = backup.store
    result = penates("restore", *source_args(s3), "--into", tmp_path / "data")
    assert result.code == 0, result.err
    check_restored(backup, tmp_path / "data")
    for thing in backup.store.objects.values():
        thing.headers = {"x-amz-server-side-encryption": "AES256"}
    result = penates("restore", *source_args(s3), "--into", tmp_path / "other",
                     "--retry-for", "0s")
    assert result.code != 0, result.err


@pytest.mark.parametrize("status, code", [(400, "KMS.ThrottlingException"),
                                          (400, "ThrottlingException"), (503, "SlowDown")])
def test_kms_asks_for_fewer_requests(s3, tmp_path, status, code):
    """KMS has a quota of its own; that is neither a denial nor a store that is down."""
    backup = standard()
    s3.store = backup.store
    busy = Fault(status=status, code=code, times=20,
                 message="You have exceeded the rate at which you may call KMS.")
    s3.faults.append(busy)
    result = penates("restore", *source_args(s3), "--into", tmp_path / "data")
    assert result.code == 0, result.err
    check_restored(backup, tmp_path / "data")
    assert busy.used == 20 and "20 tried again" in result.err
    busy.times = None
    result = penates("restore", *source_args(s3), "--into", tmp_path / "other", "--retry-for", "1s")
    assert result.code == 69, result.err
    assert "ask for a higher KMS request quota" in result.error


@pytest.mark.parametrize("extra", [[], ["--source-version-at", "2030-01-01T00:00:00Z"]])
def test_demanding_bucket(s3, tmp_path, extra):
    """Who pays and who must own the bucket is said with each request of whatever kind."""
    backup = standard(sstables=1)
    key = backup.key("nb-1-big-Filter.db")
    stored = backup.store.objects[key].body.data
    backup.store.put_parts(key, [stored[:50], stored[50:]])  # the parts' sizes take HEADs
    s3.store = backup.store
    s3.demanded = {"x-amz-request-payer": "requester",
                   "x-amz-expected-bucket-owner": "123456789012"}
    options = ["--request-payer", "requester", "--expected-bucket-owner", "123456789012"]
    for part in (options[2:], options[:2]):
        result = penates("plan", *source_args(s3), *part, *extra)
        assert result.code == 77, result.err
    s3.requests.clear()
    result = penates("restore", *source_args(s3), *options, *extra, "--into", tmp_path / "data")
    assert result.code == 0, result.err
    check_restored(backup, tmp_path / "data")
    assert {r.kind for r in s3.requests} == {"versions" if extra else "list", "get", "head"}


def test_customer_key_on_a_real_server(tmp_path):
    """MiniStack refuses a wrong key and a missing one as S3 does."""
    backup = standard(sstables=1)
    with MiniStack(tmp_path) as server:
        client = server.client()
        for key, thing in backup.store.objects.items():
            client.put_object(Bucket=server.bucket, Key=key, Body=thing.body.data,
                              SSECustomerAlgorithm="AES256", SSECustomerKey=KEY)
        env = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
        source = [f"s3://{server.bucket}/backup", "--endpoint", server.endpoint, "--path-style",
                  "--into", tmp_path / "data"]
        for extra in ([], ["--sse-c-key-file", key_file(tmp_path, KEY[::-1])]):
            result = penates("restore", *source, *extra, env=env)
            assert result.code == 77, result.err
            assert "--sse-c-key-file" in result.error
        (tmp_path / "key").unlink()
        result = penates("restore", *source, "--sse-c-key-file", key_file(tmp_path), env=env)
        assert result.code == 0, result.err
    check_restored(backup, tmp_path / "data")
