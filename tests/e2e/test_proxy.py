"""Through proxies, and past them."""

import base64

import pytest
from conftest import SECRETS, SESSION_TOKEN, penates
from fake_s3 import FakeS3, Fault
from fake_s3.imds import FakeIMDS
from fake_s3.server import SECRET_KEY
from small_backup import SmallBackup
from test_regions import BUCKET, HOME, aws, authority, backup, host  # noqa: F401

USER, PASSWORD = "restore", "proxy-password-never-to-be-seen"
SOON = ["--retry-for", "1s"]
NOWHERE = "127.0.0.1:9"


@pytest.fixture
def store():
    small = SmallBackup()
    small.add_sstable(1, b"x" * 1000)
    small.seal()
    with FakeS3(small.store) as server:
        yield server


def restore(tmp_path, endpoint, **env):
    result = penates("restore", f"s3://{BUCKET}/backup", "--endpoint", endpoint, "--into",
                     tmp_path / "data", *SOON, env=env)
    assert PASSWORD not in result.out + result.err
    return result


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_tunnel(aws, backup, variable):  # noqa: F811
    """The proxy sees where to, and nothing of what is sent there."""
    server = aws.serve(host(HOME), backup.store, region=HOME)
    login = f"http://{USER}:{PASSWORD}@127.0.0.1:{aws.proxy.port}"
    result = aws.restore(**{"https_proxy": None, variable: login})
    assert result.code == 0, result.err
    assert server.count("get") > 0
    assert aws.hosts() == {host(HOME)}
    wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for head in aws.proxy.heads:
        assert f"Proxy-Authorization: Basic {wanted}" in head
        assert not any(secret in head for secret in SECRETS)
    for request in server.requests:
        assert "proxy-authorization" not in request.headers
    assert PASSWORD not in result.out + result.err


def test_doctor_tells_of_the_proxy(aws, backup):  # noqa: F811
    """By the hosts of AWS itself: TLS, a bucket in its name, and a region that nobody named."""
    aws.serve(host(HOME), backup.store, region=HOME)
    login = f"http://{USER}:{PASSWORD}@127.0.0.1:{aws.proxy.port}"
    result = penates("doctor", f"s3://{BUCKET}/backup", *SOON,
                     env={"https_proxy": login, "AWS_CA_BUNDLE": str(aws.ca), "AWS_REGION": None})
    assert result.code == 0, result.out + result.err
    assert "https://backups.s3.us-east-1.amazonaws.com: through the proxy at 127.0.0.1" in result.out
    assert "TLSv1.3, certificate good" in result.out
    assert "us-east-1, as the bucket says; nobody else named one" in result.out
    assert PASSWORD not in result.out + result.err
    result = penates("doctor", f"s3://{BUCKET}/backup", *SOON,
                     env={"https_proxy": f"http://{USER}:{PASSWORD}@{NOWHERE}"})
    assert result.code == 69, result.out + result.err
    assert f"proxy {NOWHERE}: cannot be connected to" in result.error
    assert PASSWORD not in result.out + result.err


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_plain_http_goes_to_the_proxy(store, tmp_path, variable):
    """Where the proxy is the fake itself, and the endpoint a name that does not exist."""
    result = restore(tmp_path, "http://store.invalid", **{variable: store.endpoint})
    assert result.code == 0, result.err
    assert {request.headers["host"] for request in store.requests} == {"store.invalid"}


def test_doctor_tells_of_a_proxy_without_tls(store):
    """Where there is no CONNECT that would tell."""
    through = "through the proxy at 127.0.0.1"
    address = store.endpoint.removeprefix("http://")
    env = {"http_proxy": f"http://{USER}:{PASSWORD}@{address}"}
    result = penates("doctor", f"s3://{BUCKET}/backup", "--endpoint", "http://store.invalid",
                     "--path-style", *SOON, env=env)
    assert result.code == 0, result.out + result.err
    assert f"http://store.invalid: {through}" in result.out
    assert PASSWORD not in result.out + result.err
    result = penates("doctor", f"s3://{BUCKET}/backup", "--endpoint", store.endpoint,
                     "--path-style", *SOON, env={**env, "no_proxy": "127.0.0.1"})
    assert result.code == 0, result.out + result.err
    assert "the proxy" not in result.out and "connected to 127.0.0.1" in result.out


def test_upper_case_http_proxy_is_not_believed(store, tmp_path):
    """A CGI server's client sets it by a header named Proxy."""
    result = restore(tmp_path, store.endpoint, HTTP_PROXY=f"http://{NOWHERE}")
    assert result.code == 0, result.err


@pytest.mark.parametrize("spared", [{"no_proxy": "127.0.0.1"}, {"NO_PROXY": "example.org,127.0.0.1"},
                                    {"no_proxy": "*"}, {"NO_PROXY": "127.0.0.0/8"}])
def test_no_proxy(store, tmp_path, spared):
    result = restore(tmp_path, store.endpoint, http_proxy=f"http://{NOWHERE}", **spared)
    assert result.code == 0, result.err


REFUSALS = {
    "407 Proxy Authentication Required": (77, "user and a password"),
    "403 Forbidden": (64, "does not let us through"),
    "502 Bad Gateway": (69, "cannot reach the store"),
    "503 Service Unavailable": (69, "cannot reach the store"),
    "307 Temporary Redirect\r\nx-amz-bucket-region: eu-west-1": (69, "cannot reach the store"),
}


@pytest.mark.parametrize("answer", REFUSALS)
def test_refused_by_the_proxy(aws, answer):  # noqa: F811
    """One line says who refused; nothing that a proxy says is taken for the store's."""
    code, words = REFUSALS[answer]
    aws.proxy.answer = answer
    result = aws.restore(https_proxy=f"http://{USER}:{PASSWORD}@127.0.0.1:{aws.proxy.port}")
    assert result.code == code, result.err
    assert f"proxy 127.0.0.1:{aws.proxy.port}: {words}" in result.error.replace("wants a ", "")
    assert PASSWORD not in result.out + result.err
    assert aws.hosts() == {host(HOME)}


@pytest.mark.parametrize("url, words", [
    (f"http://{USER}:{PASSWORD}@{NOWHERE}", f"proxy {NOWHERE}: cannot be connected to"),
    (f"http://{USER}:{PASSWORD}@no-such-host.invalid:3128",
     "proxy no-such-host.invalid:3128: its name cannot be resolved"),
    (f"http://{USER}:{PASSWORD}@a b:3128", "proxy a b:3128: its URL is malformed"),
    (f"gopher://{USER}:{PASSWORD}@h:3128", "proxy h:3128: its URL is malformed"),
    (f"http://{USER}:pass@{PASSWORD}@{NOWHERE}/", f"proxy {NOWHERE}: "),
])
def test_no_such_proxy(tmp_path, url, words):
    result = restore(tmp_path, "https://store.invalid", https_proxy=url)
    assert result.code in (64, 69), result.err
    assert words in result.error


@pytest.mark.parametrize("status", [407, 403, 502])
def test_refused_in_plain_http(store, tmp_path, status):
    """Store and proxy look the same here, so the line names both."""
    store.faults.append(Fault(kind="any", times=None, status=status, code=""))
    result = restore(tmp_path, "http://store.invalid", http_proxy=store.endpoint)
    assert result.code in (64, 69, 77), result.err
    assert f"proxy 127.0.0.1:{store.port}" in result.error


def test_instance_metadata_is_never_asked_through_a_proxy(store, tmp_path):
    keys = ("ASIAPROXY00000000001", SECRET_KEY, SESSION_TOKEN)
    store.keys = {keys[0]: (keys[1], keys[2], None)}
    with FakeIMDS(keys) as imds:
        result = restore(tmp_path, "http://store.invalid", AWS_ACCESS_KEY_ID=None,
                         AWS_SECRET_ACCESS_KEY=None, AWS_EC2_METADATA_DISABLED=None,
                         AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.endpoint,
                         http_proxy=store.endpoint)
        assert result.code == 0, result.err
        assert imds.requests
    assert {request.headers["host"] for request in store.requests} == {"store.invalid"}
