#!/usr/bin/env python3
"""Writes endpoint_cases.tsv: where botocore sends a GET of an object, and for which region it signs.

One case a line, fields between tabs; "-" stands for nothing:

    bucket region endpoint flags base path signed_region

flags: p path style, v virtual hosts also at a custom endpoint, d dual-stack, f FIPS. base is
"refused" where botocore gives an error. The end-to-end tests write the table again and compare.
"""

import io
import itertools
import pathlib
import urllib.parse

import botocore.awsrequest
import botocore.exceptions
import botocore.session
import urllib3
from botocore.config import Config

FILE = pathlib.Path(__file__).with_name("endpoint_cases.tsv")
REGIONS = ["us-east-1", "eu-central-1", "ap-southeast-7", "cn-north-1", "us-gov-west-1",
           "us-iso-east-1", "us-isob-east-1", "us-isof-south-1", "eu-isoe-west-1",
           "eusc-de-east-1", "xx-unheard-9"]
NO_DUALSTACK = ["us-isof-south-1", "eu-isoe-west-1"]  # that botocore knows of
BUCKETS = ["bkt", "123", "a.b", "Old_Bucket", "bkt-", "-bkt",
           "my-point-ab12cd34ef56gh78ij90kl12mn34ouse1b-s3alias"]
POINTS = [("arn:aws:s3:us-west-2:123456789012:accesspoint/my-point", "us-east-1"),
          ("arn:aws:s3:us-west-2:123456789012:accesspoint:my-point", "eu-central-1"),
          ("arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/my-point", "cn-northwest-1"),
          ("arn:aws-us-gov:s3:us-gov-east-1:123456789012:accesspoint/my-point", "us-gov-west-1"),
          ("arn:aws-iso:s3:us-iso-west-1:123456789012:accesspoint/my-point", "us-iso-east-1")]
ENDPOINTS = ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000",
             "https://s3.example.org", "https://gw.example.org:8443/s3", "https://10.0.0.1/x/y"]


def flags(letters):
    return ["".join(some) for size in range(len(letters) + 1)
            for some in itertools.combinations(letters, size)]


def questions():
    for region in REGIONS:
        for some in flags("pf" if region in NO_DUALSTACK else "pdf"):
            yield "bkt", region, "-", some
    for bucket in BUCKETS[1:]:
        for some in flags("pdf"):
            yield bucket, "us-east-1", "-", some
    for (point, region), some in itertools.product(POINTS, flags("df")):
        yield point, region, "-", some
    for endpoint, bucket, some in itertools.product(ENDPOINTS, ["bkt", "a.b"], ["", "p"]):
        yield bucket, "us-east-1", endpoint, some
    for endpoint in ENDPOINTS[3:5]:
        yield "bkt", "us-east-1", endpoint, "v"
        yield POINTS[0][0], "us-east-1", endpoint, ""


def answer(session, bucket, region, endpoint, some):
    style = {"p": "path", "v": "virtual"}.get(some[:1], "auto")
    config = Config(use_dualstack_endpoint="d" in some, use_fips_endpoint="f" in some,
                    s3={"addressing_style": style, "us_east_1_regional_endpoint": "regional"})
    client = session.create_client("s3", region_name=region, config=config,
                                   endpoint_url=None if endpoint == "-" else endpoint)
    sent = []

    def keep(request, **_):
        sent.append(request)
        return botocore.awsrequest.AWSResponse(request.url, 200, {}, urllib3.HTTPResponse(io.BytesIO()))

    client.meta.events.register("before-send.s3", keep)
    try:
        client.head_object(Bucket=bucket, Key="k")
    except botocore.exceptions.BotoCoreError:
        return "refused", "-", "-"
    url = urllib.parse.urlsplit(sent[0].url)
    signed_region = sent[0].headers["Authorization"].decode().split("/")[2]
    return (f"{url.scheme}://{url.netloc}", url.path.removesuffix("/k") or "-", signed_region)


def table():
    session = botocore.session.Session()
    session.set_credentials("AKID", "secret")
    return "".join(
        "\t".join([bucket, region, endpoint, some or "-",
                   *answer(session, bucket, region, endpoint, some)]) + "\n"
        for bucket, region, endpoint, some in questions())


if __name__ == "__main__":
    FILE.write_text(table())
