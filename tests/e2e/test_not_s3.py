"""Something other than S3 answers, or nothing: one clear line each, and the exit code that fits."""

import contextlib
import http.server
import shlex
import socket
import ssl
import subprocess
import threading
import time

import pytest
import trustme
from conftest import BINARY, check_no_secret, environment, penates
from fake_s3 import FakeS3, Fault
from test_credentials import long_backup

HTML = b"<!DOCTYPE html>\n<html><body>" + b"Please log in. " * 30 + b"</body></html>"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.server.body
        self.send_response(self.server.status)
        self.send_header("Location", "http://login.example/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_CONNECT = do_GET

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def web(status, body=b""):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.status, server.body = status, body
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ends(code, words, next_step, endpoint=None, *args, env=None):
    where = ["--endpoint", endpoint, "--path-style"] if endpoint else []
    result = penates("list", "s3://backups/backup", *where, "--retry-for", "0s", *args, env=env)
    assert result.code == code, result.err
    line, _, step = result.error.partition("; ")
    assert words in line
    assert next_step in step
    check_no_secret(result.err)


@pytest.mark.parametrize("status, body, code, words, next_step", [
    (200, HTML, 64, "200: a page of HTML", "something other than S3"),
    (403, HTML, 77, "403: denied, in a page of HTML", "something other than S3"),
    (404, HTML, 66, "404: not found, in a page of HTML", "something other than S3"),
    (502, HTML, 69, "in a page of HTML", "something other than S3"),
    (302, b"", 69, "302: redirected", "redirects elsewhere are not followed"),
    (511, b"", 69, "511: the network asks for a login", "portal"),
    (200, b'{"ok": true}', 65, "not well-formed", "check --endpoint"),
    (200, b"", 65, "not well-formed", "check --endpoint"),
    (200, b"<rss/>", 65, "another document ('rss')", "check --endpoint"),
    (200, b"<Error><Code>AccessDenied</Code></Error>", 77, "refused s3:ListBucket", "allow it"),
    (200, b"<Error><Code>InternalError</Code></Error>", 69, "200 InternalError", "network"),
])
def test_another_server(status, body, code, words, next_step):
    with web(status, body) as url:
        ends(code, words, next_step, url)


def test_nobody_there():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        ends(69, f"port {port}", "firewall", f"http://127.0.0.1:{port}")
    ends(69, "Could not resolve host: nowhere.invalid", "DNS", "http://nowhere.invalid")


def silent(address, port=0):
    """Takes connections and says nothing; with a full backlog it does not even take them."""
    server = socket.socket()
    server.bind((address, port))
    server.listen(0)
    return server


def test_silence_ends_with_the_budget():
    with silent("127.0.0.1") as server:
        begin = time.monotonic()
        ends(69, "the connection stalls", "", f"http://127.0.0.1:{server.getsockname()[1]}",
             "--retry-for", "1s")
        assert time.monotonic() - begin < 15  # less than a stall takes without a budget


@contextlib.contextmanager
def deaf(address, port):
    """Drops what comes: its backlog is full."""
    with silent(address, port) as server, contextlib.ExitStack() as stack:
        for _ in range(3):  # the backlog, and what the kernel lets wait beyond it
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield


def with_addresses(tmp_path, count, port, *args):
    """A run that finds so many addresses, from 127.0.0.1 on, for the name of its endpoint."""
    hosts = tmp_path / "hosts"
    hosts.write_text("".join(f"127.0.0.{i + 1} store.test\n" for i in range(count)))
    private = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*private, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        pytest.skip("no mount namespace of one's own is permitted here")
    command = [BINARY, args[0], "s3://backups/backup", "--endpoint", f"http://store.test:{port}",
               "--path-style", *map(str, args[1:])]
    return subprocess.run([*private, "sh", "-c", f"mount --bind {hosts} /etc/hosts && exec "
                           + shlex.join(command)], env=environment(), capture_output=True,
                          text=True, check=False, timeout=120)


def test_dead_addresses_among_others(tmp_path):
    """A name with three addresses, of which two drop what comes: the third one serves."""
    with FakeS3() as server, deaf("127.0.0.2", server.port), deaf("127.0.0.3", server.port):
        for _ in range(3):  # the addresses are shuffled
            result = with_addresses(tmp_path, 3, server.port, "list", "--retry-for", "0s")
            assert result.returncode == 66, result.stderr


def test_connections_spread_over_the_addresses(tmp_path):
    """Of one network thread, too, and all opened within a moment."""
    backup = long_backup()
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(FakeS3(backup.store, latency=0.05))]
        for last in range(2, 9):
            servers.append(stack.enter_context(FakeS3(
                backup.store, latency=0.05, host=f"127.0.0.{last}", port=servers[0].port)))
        result = with_addresses(tmp_path, len(servers), servers[0].port, "restore", "--into",
                                tmp_path / "data", "--net-threads", "1", "--connections", "32")
        assert result.returncode == 0, result.stderr
        # Each address is as likely: seven of eight caches with the same first one are not.
        assert max(server.peak for server in servers) <= 24, [s.peak for s in servers]


def context(authority, *names):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(tls)
    return tls


def test_tls(tmp_path):
    authority = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    with FakeS3(tls=context(authority, "127.0.0.1")) as server:
        ends(69, "certificate is not valid", "--ca-file", server.endpoint)
        junk = tmp_path / "junk.pem"
        junk.write_text("junk")
        ends(64, "no certificates to trust", "--ca-file", server.endpoint, "--ca-file", junk)
        ends(69, "Empty reply", "http or https", server.endpoint.replace("https", "http"))
    with FakeS3(tls=context(authority, "other.example")) as server:
        ends(69, "certificate is not valid", "clock", server.endpoint, "--ca-file", ca_file)
    with web(200) as url:
        ends(69, "TLS: ", "speaks TLS", url.replace("http", "https"))


def test_a_hostile_message_stays_a_line():
    message = "no\r\npenates: error: forged\x9b2J\u202e" + "x" * 5000
    with FakeS3() as server:
        server.faults.append(Fault(kind="list", status=403, code="AccessDenied", message=message,
                                   times=None))
        result = penates("list", "s3://backups/backup", "--endpoint", server.endpoint,
                         "--path-style")
    assert result.code == 77
    assert len(result.err.splitlines()) == 1
    assert len(result.error) < 1100
    assert "\x9b" not in result.err
    assert "was refused s3:ListBucket on arn:aws:s3:::backups with prefix backup/" in result.error
