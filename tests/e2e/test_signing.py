"""The fake's verifier is held against botocore, so that it does not err together with our signer."""

import random
import time
import types
import urllib.parse

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
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
    return types.SimpleNamespace(method="GET", raw_path=path, raw_query=query, headers=headers)


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
