#!/usr/bin/env python3
"""Writes sigv4_cases.tsv: awkward requests and the signatures that botocore gives them.

Needs botocore (the committed file is from 1.44.5). The seed is fixed: the same botocore writes the
same file. One case a line, fields between tabs, every field percent-encoded as UTF-8:

    method host key region id secret token now_ms query headers service body (see sign_case.h)
    path canonical_query authorization

query and headers are name=value pairs between '&', names and values percent-encoded once more.
"""

import datetime
import pathlib
import random
from urllib.parse import quote

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import percent_encode

CASES = 200
REGIONS = ["us-east-1", "eu-central-1", "ap-southeast-4", "us-gov-west-1", "cn-north-1", "x"]
HOSTS = ["b.s3.{}.amazonaws.com", "s3.dualstack.{}.amazonaws.com", "127.0.0.1:9000", "[::1]:9000"]
KEYS = [
    "", "a", "a b", "a+b", "a=b&c=d", "~user/-_.~", "a//b", "/a", "a/", "./a/../b/.", "..", "%",
    "%3d%3D%25", "a%2fb", "é/ü/ß", "日本語/キー", "\U0001f600", "e\u0301", "a?b#c", "a;b,c",
    "(a)*[b]{c}|'d'!", "\\\"<>^`", "tab\there", "line\nbreak", "\x01\x7f", "$@:", "k" * 1024,
    "casstestbackup/us-east-1/c1/1808575600/202611230800/SST/ks/cf/ma-1-big-Data.db",
]
TEXTS = [
    "", "a", "A", "a b", "a+b", "a=b", "a/b", "a&b", "~", "%2B", "%", "é", "日本", "a-b", "a.b",
    "1/f+Q==", "\U0001f600", "*", "x" * 80, "url", "2", "1000",
]
HEADERS = [
    ("range", ["bytes=0-9", "bytes=8388608-16777215", "bytes=5-"]),
    ("if-match", ['"d41d8cd98f00b204e9800998ecf8427e"', '"a-12"', '  "spaced   out" ']),
    ("x-amz-checksum-mode", ["ENABLED"]),
    ("x-amz-request-payer", ["requester"]),
    ("x-amz-expected-bucket-owner", ["123456789012"]),
    ("x-amz-meta-a", ["1", "a  b", ""]),
    ("x-amz-meta-a-b", ["2"]),
    ("accept", ["*/*"]),
]
SECRETS = ["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "s" * 40, "a/+=b", "k"]
TOKENS = ["", "", "FwoGZXIvYXdzEBYaDHqa0AP+/=", "t" * 600]


def pick_query(rng):
    pairs = [(rng.choice(TEXTS), rng.choice(TEXTS)) for _ in range(rng.choice([0, 0, 1, 2, 5, 9]))]
    if pairs and rng.random() < 0.5:
        name = rng.choice(pairs)[0]
        pairs += [(name, rng.choice(TEXTS)), (name + "-b", "x"), (name, "")]
    rng.shuffle(pairs)
    return pairs


def pick_case(rng, number):
    region = rng.choice(REGIONS)
    return {
        "method": rng.choice(["GET", "GET", "HEAD"]),
        "host": rng.choice(HOSTS).format(region),
        "key": KEYS[number] if number < len(KEYS) else rng.choice(KEYS) + rng.choice(KEYS[:25]),
        "region": region,
        "id": rng.choice(["AKIAIOSFODNN7EXAMPLE", "ASIAX", "minio-admin"]),
        "secret": rng.choice(SECRETS),
        "token": rng.choice(TOKENS),
        "now_ms": rng.choice([0, 951782399999, 1369353600000, rng.randrange(0, 4102444800000)]),
        "query": pick_query(rng),
        "headers": [(n, rng.choice(v)) for n, v in rng.sample(HEADERS, rng.randrange(5))],
        "service": "s3",
        "body": "",
    }


def sign(case):
    """Returns path, canonical query and Authorization, as botocore would send them."""
    now = datetime.datetime.fromtimestamp(case["now_ms"] / 1000, datetime.timezone.utc)
    botocore.auth.get_current_datetime = lambda: now
    path = "/" + percent_encode(case["key"], safe="/~")
    request = AWSRequest(method=case["method"], url="http://" + case["host"] + path,
                         headers=dict(case["headers"]), params=case["query"])
    request.headers["Host"] = case["host"]
    signer = botocore.auth.S3SigV4Auth(
        Credentials(case["id"], case["secret"], case["token"] or None), "s3", case["region"])
    signer.add_auth(request)
    return path, signer.canonical_query_string(request), request.headers["Authorization"]


def escape(value):
    return quote(str(value), safe="/:=,;*[]()!@&+ '\"-_.~")


def join(pairs):
    return "&".join(quote(n, safe="") + "=" + quote(v, safe="") for n, v in pairs)


def main():
    rng = random.Random(20130524)
    lines = []
    for number in range(CASES):
        case = pick_case(rng, number)
        answer = sign(case)
        case["query"] = join(case["query"])
        case["headers"] = join(case["headers"])
        lines.append("\t".join(escape(v) for v in [*case.values(), *answer]))
    pathlib.Path(__file__).with_name("sigv4_cases.tsv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
