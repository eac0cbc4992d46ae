"""Our signer, botocore's, and the fake's verifier are held against each other, so that no two of
them err together. Requests are made up from a seed; sign_lines signs them all in one go."""

import calendar
import datetime
import hashlib
import pathlib
import random
import subprocess
import time
import types
import urllib.parse

import botocore.session
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials
from conftest import BINARY
from fake_s3 import sigv4

ALPHABET = "abcXYZ019-_.~ /+=&%?#:;,@!$'()*éß漢\t"


def signed_request(seed, token):
    chance = random.Random(seed)
    key = "".join(chance.choice(ALPHABET) for _ in range(chance.randint(1, 30))).strip()
    path = "/bucket/" + urllib.parse.quote(key.encode(), safe="/-_.~")
    pairs = sorted((chance.choice(["prefix", "start-after", "list-type", "x"]) + str(i),
                    "".join(chance.choice(ALPHABET) for _ in range(chance.randint(0, 12))))
                   for i in range(chance.randint(0, 4)))
    query = "&".join(f"{k}={urllib.parse.quote(v.encode(), safe='-_.~')}" for k, v in pairs)
    url = "http://127.0.0.1:9000" + path + ("?" + query if query else "")
    request = AWSRequest("GET", url, headers={"Range": "bytes=0-9"} if seed % 2 else {})
    S3SigV4Auth(Credentials("AKID", "secret", token), "s3", "us-east-1").add_auth(request)
    headers = {k.lower(): v for k, v in request.headers.items()}
    headers.setdefault("host", "127.0.0.1:9000")
    return types.SimpleNamespace(method="GET", raw_path=path, raw_query=query, headers=headers,
                                 body=b"")


@pytest.mark.parametrize("token", [None, "tok/en+="])
def test_botocore_signs_and_we_verify(token):
    keys = {"AKID": ("secret", token, None)}
    for seed in range(200):
        request = signed_request(seed, token)
        sigv4.verify(request, keys, "us-east-1", time.time())
        with pytest.raises(sigv4.Refused):
            sigv4.verify(request, {"AKID": ("other", token, None)}, "us-east-1", time.time())


def test_every_fact_is_checked():
    keys = {"AKID": ("secret", None, None)}

    def refused(change, code):
        request = signed_request(1, None)
        change(request)
        with pytest.raises(sigv4.Refused) as caught:
            sigv4.verify(request, keys, "us-east-1", time.time())
        assert caught.value.code == code

    refused(lambda r: r.headers.pop("authorization"), "AccessDenied")
    refused(lambda r: r.headers.update({"x-amz-extra": "1"}), "AccessDenied")
    refused(lambda r: r.headers.update({"range": "bytes=0-10"}), "SignatureDoesNotMatch")
    refused(lambda r: setattr(r, "raw_path", r.raw_path + "x"), "SignatureDoesNotMatch")
    request = signed_request(1, None)
    with pytest.raises(sigv4.Refused) as caught:
        sigv4.verify(request, keys, "us-east-1", time.time() + 3600)
    assert caught.value.code == "RequestTimeTooSkewed"
    with pytest.raises(sigv4.Refused) as caught:
        sigv4.verify(request, keys, "eu-west-1", time.time())
    assert caught.value.extra["Region"] == "eu-west-1"


SIGN_LINES = pathlib.Path(BINARY).parent.parent / "tests" / "sign_lines"
KEY_ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "eu-central-1"


def quote(value):
    return urllib.parse.quote(value, safe="")


def line(*, method="GET", host="b.s3.eu-central-1.amazonaws.com", key=b"", token="", now_s=0,
         query=(), headers=(), service="s3", body=""):
    """One request as sign_case.h has it."""
    pairs = ["&".join(f"{quote(n)}={quote(v)}" for n, v in some) for some in (query, headers)]
    fields = [method, host, key, REGION, KEY_ID, SECRET, token, str(now_s * 1000), *pairs, service,
              body]
    return "\t".join(map(quote, fields)) + "\n"


def signed(requests):
    """Path, query and headers (lower-case name -> value) of each."""
    lines = [line(**request) for request in requests]
    result = subprocess.run([SIGN_LINES], input="".join(lines).encode(), capture_output=True,
                            timeout=60)
    assert result.returncode == 0, result.stderr
    answers = result.stdout.decode("ascii").splitlines()
    assert len(answers) == len(lines)
    for answer in answers:
        path, query, headers = map(urllib.parse.unquote, answer.split("\t"))
        yield path, query, dict(header.split(": ", 1) for header in headers.splitlines())


PIECES = [b"/", b"//", b".", b"..", b"/./", b"/../", b"%", b"%2F", b"%00", b"+", b" ", b"  ", b"~",
          b"*", b"'", b"=", b"&", b"?", b"#", b";", b":", "\u00e9".encode(), "\u6f22".encode(),
          "e\u0301".encode(), "\U0001f600".encode(), b"-", b"_", b"\t", b"\n", b"\x7f"]


def some_bytes(chance, pieces_max):
    """Every byte but NUL, with what is special more often."""
    return b"".join(chance.choice(PIECES) if chance.random() < 0.5
                    else bytes([chance.randint(1, 255)])
                    for _ in range(chance.randint(0, pieces_max)))


def some_text(chance, pieces_max):
    """The same, as far as botocore takes it: text."""
    return some_bytes(chance, pieces_max).decode(errors="ignore")


def header_text(chance):
    return "".join(chr(chance.randint(0x20, 0x7e)) for _ in range(chance.randint(0, 40)))


def some_query(chance):
    names = [some_bytes(chance, 4) or b"x" for _ in range(chance.randint(1, 3))]
    names += [b"prefix", b"partNumber"]
    return [(chance.choice(names), chance.choice([b"", some_bytes(chance, 12)]))
            for _ in range(chance.choice([0, 0, 1, 2, 5, 12]))]


def some_request(chance):
    names = ["range", "if-match", "x-amz-checksum-mode", "x-amz-meta-a", "x-amz-meta-a-b"]
    service = chance.choice(["s3", "s3", "s3", "sts"])
    post = service == "sts" or chance.random() < 0.2
    return {
        "method": "POST" if post else chance.choice(["GET", "HEAD"]),
        "host": chance.choice(["127.0.0.1:9000", "[::1]:9000", "sts.eu-central-1.amazonaws.com"]),
        "key": some_bytes(chance, 60) if service == "s3" else b"",
        "token": chance.choice(["", "tok/en+=", "t" * chance.randint(1, 8000)]),
        "now_s": chance.randint(0, 4102444800),
        "query": some_query(chance) if service == "s3" else [],
        "headers": [(name, header_text(chance))
                    for name in chance.sample(names, chance.randint(0, len(names)))],
        "service": service,
        "body": some_text(chance, 40).replace("\0", "") if post else "",
    }


def botocores_signature(request, path, query, ours):
    """What botocore makes of the request that we would send."""
    sent = AWSRequest(request["method"],
                      f"https://{request['host']}{path}" + (f"?{query}" if query else ""),
                      headers={"host": request["host"], **dict(request["headers"]), **ours},
                      data=request["body"])
    del sent.headers["authorization"]
    sent.context["timestamp"] = ours["x-amz-date"]
    kind = S3SigV4Auth if request["service"] == "s3" else SigV4Auth
    signer = kind(Credentials(KEY_ID, SECRET, request["token"] or None), request["service"],
                  REGION)
    names = signer.signed_headers(signer.headers_to_sign(sent))
    signature = signer.signature(signer.string_to_sign(sent, signer.canonical_request(sent)), sent)
    return (f"AWS4-HMAC-SHA256 Credential={signer.scope(sent)}, SignedHeaders={names}, "
            f"Signature={signature}")


def test_we_sign_and_botocore_verifies():
    chance = random.Random(20130524)
    requests = [some_request(chance) for _ in range(3000)]
    for request, (path, query, ours) in zip(requests, signed(requests)):
        assert urllib.parse.unquote_to_bytes(path) == b"/" + request["key"]
        assert ours["x-amz-content-sha256"] == hashlib.sha256(request["body"].encode()).hexdigest()
        assert ours.get("x-amz-security-token", "") == request["token"]
        assert ours["authorization"] == botocores_signature(request, path, query, ours), request


def recorder():
    """A session of botocore's whose requests end here, signed and ready to be sent."""
    session = botocore.session.Session()
    seen = []

    def take(request, **_):
        seen.append(request)
        return AWSResponse(request.url, 404, {}, None)

    def add_hash(request, **_):
        """S3's requests have it; to those of other services ours adds it, too."""
        body = request.body or b""
        request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()

    session.register("before-send", take)
    session.register("before-sign.sts", add_hash)
    return session, seen


def client(session, service, token):
    return session.create_client(
        service, region_name=REGION, aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET,
        aws_session_token=token or None, endpoint_url=f"https://{service}.{REGION}.amazonaws.com",
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False,
                      s3={"addressing_style": "path"}, user_agent="test"))


def ask_something(chance, s3, sts):
    """One call of those that we make, with arguments that fuzzing made up."""
    key = some_text(chance, 60).replace("\0", "").lstrip("/") or "k"
    text = some_text(chance, 30).replace("\0", "")
    known = "".join(c for c in text if 0x20 < ord(c) < 0x7f) or "x"
    return chance.choice([
        lambda: s3.list_objects_v2(Bucket="bucket", Prefix=key, StartAfter=text, MaxKeys=7),
        lambda: s3.list_objects_v2(Bucket="bucket", Delimiter="/", ContinuationToken=text,
                                   RequestPayer="requester"),
        lambda: s3.list_object_versions(Bucket="bucket", Prefix=text, KeyMarker=key),
        lambda: s3.get_object(Bucket="bucket", Key=key, Range="bytes=0-9", IfMatch=f'"{known}"'),
        lambda: s3.get_object(Bucket="bucket", Key=key, VersionId=text, ChecksumMode="ENABLED"),
        lambda: s3.get_object(Bucket="bucket", Key=key, ExpectedBucketOwner="123456789012",
                              SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32),
        lambda: s3.head_object(Bucket="bucket", Key=key, PartNumber=chance.randint(1, 10000)),
        lambda: s3.restore_object(Bucket="bucket", Key=key, RestoreRequest={
            "Days": 3, "GlacierJobParameters": {"Tier": "Bulk"}}),
        lambda: sts.assume_role(RoleArn=text or "arn", RoleSessionName=known, ExternalId=key),
    ])


def as_ours(request):
    """What we are told, to arrive at the same request."""
    url = urllib.parse.urlsplit(request.url)
    headers = {name.lower(): value if isinstance(value, str) else value.decode()
               for name, value in request.headers.items()}
    names = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    ours = {"host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"}
    stamp = datetime.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
    body = request.body or b""
    return headers, {
        "method": request.method,
        "host": url.netloc,
        "key": urllib.parse.unquote_to_bytes(url.path[1:]),
        "token": headers.get("x-amz-security-token", ""),
        "now_s": calendar.timegm(stamp.timetuple()),
        "query": urllib.parse.parse_qsl(url.query, keep_blank_values=True),
        "headers": [(name, headers[name]) for name in names if name not in ours],
        "service": "sts" if url.netloc.startswith("sts") else "s3",
        "body": body if isinstance(body, bytes) else body.encode(),
    }


def canonical_query(raw):
    """In the signature's order; a name without a value gets its '=' there."""
    pairs = [pair.partition("=")[::2] for pair in raw.split("&")] if raw else []
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


@pytest.mark.parametrize("token", ["", "tok/en+=" * 100])
def test_botocore_makes_and_we_sign_the_same(token):
    """Path, query and signature come out byte for byte as botocore's own client sends them."""
    chance = random.Random(19941106)
    session, seen = recorder()
    s3, sts = client(session, "s3", token), client(session, "sts", token)
    for _ in range(600):
        with pytest.raises(Exception):  # the recorder's answer is no good to it
            ask_something(chance, s3, sts)()
    assert len(seen) == 600
    assert {request.method for request in seen} == {"GET", "HEAD", "POST"}
    theirs = [as_ours(request) for request in seen]
    for request, (headers, told), (path, query, ours) in zip(
            seen, theirs, signed([told for _, told in theirs])):
        url = urllib.parse.urlsplit(request.url)
        assert path == url.path
        assert query == canonical_query(url.query)
        assert ours["authorization"] == headers["authorization"], told
