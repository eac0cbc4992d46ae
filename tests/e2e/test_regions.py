"""Buckets in other regions, by AWS's own host names: a proxy leads these to servers of the test."""

import contextlib
import dataclasses
import ssl

import pytest
import trustme
from conftest import penates
from fake_s3 import FakeS3, Fault
from fake_s3.proxy import Proxy
from fake_s3.server import ACCESS_KEY, SECRET_KEY
from small_backup import SmallBackup

HOME, AWAY = "us-east-1", "eu-west-1"
BUCKET = "backups"
SOON = ["--retry-for", "2s"]


def host(region, bucket=BUCKET):
    return f"{bucket}.s3.{region}.amazonaws.com:443"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def backup():
    backup = SmallBackup()
    for generation in range(1, 9):
        backup.add_sstable(generation, bytes([generation]) * 5000)
    backup.seal()
    return backup


class Aws:
    """Servers behind names of AWS, seen through one proxy."""

    def __init__(self, authority, folder):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("*.s3.us-east-1.amazonaws.com", "*.s3.eu-west-1.amazonaws.com",
                             "s3.us-east-1.amazonaws.com", "s3.eu-west-1.amazonaws.com",
                             "*.s3-accesspoint.us-west-2.amazonaws.com",
                             "*.s3-fips.dualstack.us-east-1.amazonaws.com",
                             "*.s3.cn-north-1.amazonaws.com.cn").configure_cert(self.context)
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca))
        self.stack = contextlib.ExitStack()
        self.proxy = self.stack.enter_context(Proxy())
        self.target = folder / "data"

    def serve(self, name, store, *faults, **options):
        server = self.stack.enter_context(FakeS3(store, tls=self.context, **options))
        server.faults.extend(faults)
        self.proxy.routes[name] = ("127.0.0.1", server.port)
        return server

    def restore(self, *args, source=f"s3://{BUCKET}/backup", **env):
        return penates("restore", source, "--into", self.target, *SOON, *args,
                       env={"https_proxy": self.proxy.url, "AWS_CA_BUNDLE": str(self.ca),
                            "AWS_REGION": None, **env})

    def hosts(self):
        return set(self.proxy.hosts)


@pytest.fixture
def aws(authority, tmp_path):
    aws = Aws(authority, tmp_path)
    with aws.stack:
        yield aws


def moved(status, code, headers=None, **extra):
    return Fault(kind="any", times=None, status=status, code=code, headers=headers or {},
                 extra=extra)


TO_AWAY = {"x-amz-bucket-region": AWAY}
FOLLOWED = {
    "301": moved(301, "PermanentRedirect", TO_AWAY),
    "301 by Endpoint": moved(301, "PermanentRedirect", Endpoint=host(AWAY)[:-4]),
    "307": moved(307, "TemporaryRedirect", TO_AWAY),
    "307 of a new bucket": moved(307, "TemporaryRedirect",
                                 Endpoint=f"{BUCKET}.s3-{AWAY}.amazonaws.com"),
    "302": moved(302, "Redirect", TO_AWAY),
    "400": moved(400, "IllegalLocationConstraintException", TO_AWAY),
    "400 by Region": moved(400, "AuthorizationHeaderMalformed", Region=AWAY),
    "403": moved(403, "AccessDenied", TO_AWAY),
}


@pytest.mark.parametrize("how", FOLLOWED)
def test_the_bucket_says_where_it_is(aws, backup, how):
    """One request of the run learns it; none of the others goes wrong."""
    fault = dataclasses.replace(FOLLOWED[how])
    home = aws.serve(host(HOME), None, fault, region=HOME)
    away = aws.serve(host(AWAY), backup.store, region=AWAY)
    result = aws.restore()
    assert result.code == 0, result.err
    assert len(home.requests) == 1
    assert away.count("get") >= 30
    assert {request.status for request in away.requests} <= {200, 206}
    assert aws.hosts() == {host(HOME), host(AWAY)}


def test_dotted_bucket(aws, backup):
    """No certificate covers its dots, so it is in the path, wherever it lies."""
    home, away = (f"s3.{region}.amazonaws.com:443" for region in (HOME, AWAY))
    aws.serve(home, None, moved(301, "PermanentRedirect", TO_AWAY), bucket="my.backups")
    server = aws.serve(away, backup.store, bucket="my.backups", region=AWAY)
    result = aws.restore(source="s3://my.backups/backup")
    assert result.code == 0, result.err
    assert {request.status for request in server.requests} <= {200, 206}
    assert aws.hosts() == {home, away}


def test_china(aws, backup):
    name = f"{BUCKET}.s3.cn-north-1.amazonaws.com.cn:443"
    aws.serve(name, backup.store, region="cn-north-1")
    result = aws.restore(AWS_REGION="cn-north-1")
    assert result.code == 0, result.err
    assert aws.hosts() == {name}


NOT_FOLLOWED = {
    "a host of somebody else": moved(
        301, "PermanentRedirect", {"Location": "https://evil.example.org/"},
        Endpoint="evil.example.org"),
    "temporarily": moved(307, "TemporaryRedirect", {"Location": "https://evil.example.org/"},
                         Endpoint="evil.example.org"),
    "a region that is a host": moved(301, "PermanentRedirect",
                                     {"x-amz-bucket-region": "evil.example.org"}),
    "a region with a path": moved(400, "AuthorizationHeaderMalformed", Region="x/@evil.org#"),
    "another partition": moved(301, "PermanentRedirect", {"x-amz-bucket-region": "cn-north-1"}),
    "itself": moved(301, "PermanentRedirect", {"x-amz-bucket-region": HOME}),
}


@pytest.mark.parametrize("how", NOT_FOLLOWED)
def test_no_redirect_leads_elsewhere(aws, how):
    """Nobody else is so much as connected to, so nobody else sees a signature."""
    fault = dataclasses.replace(NOT_FOLLOWED[how])
    aws.serve(host(HOME), None, fault, region=HOME)
    aws.proxy.routes["*"] = aws.proxy.routes[host(HOME)]
    result = aws.restore()
    assert result.code in (64, 69), result.err
    assert BUCKET in result.error
    assert aws.hosts() == {host(HOME)}


def test_redirect_loop_ends(aws):
    home = aws.serve(host(HOME), None, moved(307, "TemporaryRedirect", TO_AWAY), region=HOME)
    away = aws.serve(host(AWAY), None, moved(301, "PermanentRedirect",
                                             {"x-amz-bucket-region": HOME}), region=AWAY)
    result = aws.restore()
    assert result.code == 64, result.err
    assert "was no help" in result.err
    assert 1 <= len(home.requests) <= 2
    assert 1 <= len(away.requests) <= 2
    assert aws.hosts() == {host(HOME), host(AWAY)}


def test_access_point(aws, backup):
    """Its ARN's region counts, not --region; nothing about it is looked for elsewhere."""
    name = "point-123456789012"
    server = aws.serve(f"{name}.s3-accesspoint.us-west-2.amazonaws.com:443", backup.store,
                       bucket=name, region="us-west-2")
    arn = "arn:aws:s3:us-west-2:123456789012:accesspoint/point"
    result = aws.restore("--region", HOME, source=f"s3://{arn}/backup")
    assert result.code == 0, result.err
    assert aws.hosts() == {f"{name}.s3-accesspoint.us-west-2.amazonaws.com:443"}
    server.faults.append(moved(301, "PermanentRedirect", TO_AWAY))
    aws.target = aws.target.with_name("again")
    result = aws.restore("--region", HOME, source=f"s3://{arn}/backup")
    assert result.code == 64, result.err
    assert aws.hosts() == {f"{name}.s3-accesspoint.us-west-2.amazonaws.com:443"}


def test_variables_choose_the_endpoint(aws, backup):
    """Dual-stack and FIPS, which everybody's environment may set, spare an endpoint of one's own."""
    variables = {"AWS_USE_DUALSTACK_ENDPOINT": "true", "AWS_USE_FIPS_ENDPOINT": "true"}
    name = f"{BUCKET}.s3-fips.dualstack.us-east-1.amazonaws.com:443"
    aws.serve(name, backup.store)
    result = aws.restore("--region", HOME, **variables)
    assert result.code == 0, result.err
    assert aws.hosts() == {name}
    aws.target = aws.target.with_name("again")
    with FakeS3(backup.store) as own:
        result = aws.restore("--endpoint", own.endpoint, **variables)
        assert result.code == 0, result.err
        refused = aws.restore("--endpoint", own.endpoint, "--fips")
        assert refused.code == 64, refused.err
        assert "--fips" in refused.error


def test_profile_chooses_the_endpoint(aws, backup, tmp_path):
    config = tmp_path / "config"
    with FakeS3(backup.store) as own:
        config.write_text(f"[profile dr]\naws_access_key_id = {ACCESS_KEY}\n"
                          f"aws_secret_access_key = {SECRET_KEY}\nregion = us-east-1\n"
                          f"endpoint_url = {own.endpoint}\nuse_fips_endpoint = true\n")
        result = aws.restore("--profile", "dr", AWS_CONFIG_FILE=str(config),
                             AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
        assert result.code == 0, result.err
        assert own.requests
    assert aws.hosts() == set()
