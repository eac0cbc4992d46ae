"""Hosts as botocore makes them."""

import concurrent.futures
import itertools
import runpy

import botocore.session
from botocore.config import Config
from conftest import DATA, penates
from fake_s3.proxy import Proxy


def test_table_is_what_botocore_says_today(monkeypatch):
    """test_endpoint.c holds penates to the same table."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    maker = runpy.run_path(str(DATA / "make_endpoint_cases.py"))
    assert maker["table"]() == maker["FILE"].read_text()


REGIONS = ["eu-central-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1",
           "us-isof-south-1", "eu-isoe-west-1", "eusc-de-east-1"]
NO_DUALSTACK = ["us-isof-south-1", "eu-isoe-west-1"]  # that botocore knows of
ROLE = "arn:aws:iam::123456789012:role/x"


def botocores_sts(region, dualstack, fips):
    client = botocore.session.Session().create_client(
        "sts", region_name=region, aws_access_key_id="a", aws_secret_access_key="s",
        config=Config(use_dualstack_endpoint=dualstack, use_fips_endpoint=fips))
    sent = []

    def keep(request, **_):
        sent.append(request.url)
        raise EOFError
    client.meta.events.register("before-send", keep)
    try:
        client.get_caller_identity()
    except EOFError:
        pass
    return sent[0].removeprefix("https://").rstrip("/") + ":443"


def test_sts_is_where_botocore_has_it(monkeypatch):
    """The proxy is asked for that host, and leads nowhere."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")

    def host(region, dualstack, fips):
        with Proxy() as proxy:
            result = penates("list", "s3://bucket/base", "--endpoint", "http://127.0.0.1:1",
                             "--region", region, "--role-arn", ROLE, "--retry-for", "0s", env={
                                 "https_proxy": proxy.url,
                                 "AWS_USE_DUALSTACK_ENDPOINT": "true" if dualstack else None,
                                 "AWS_USE_FIPS_ENDPOINT": "true" if fips else None})
        assert result.code == 69, result.err
        return set(proxy.hosts)

    cases = [case for case in itertools.product(REGIONS, [False, True], [False, True])
             if not (case[1] and case[0] in NO_DUALSTACK)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda case: host(*case), cases))
    assert found == [{botocores_sts(*case)} for case in cases]
