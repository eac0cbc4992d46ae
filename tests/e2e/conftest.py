"""The real binary against servers on loopback."""

import dataclasses
import hashlib
import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DATA = ROOT / "tests" / "data"
sys.path.insert(0, str(HERE.parent))

from fake_s3 import FakeS3, tree_store  # noqa: E402
from fake_s3.server import ACCESS_KEY, SECRET_KEY  # noqa: E402

BINARY = os.environ.get("PENATES", str(ROOT / "build" / "agent" / "penates"))
SANITIZED = os.environ.get("PENATES_SANITIZED", "") != ""  # slow, and with memory of its own
SESSION_TOKEN = "penates-test-session-token-never-to-be-seen"
SECRETS = (SECRET_KEY, SESSION_TOKEN, "Signature=", "AWS4-HMAC-SHA256")


@dataclasses.dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def error(self):
        """The one line that says what failed."""
        lines = [line for line in self.err.splitlines() if line.startswith("penates: error: ")]
        assert len(lines) == 1, f"wanted one error line, got {len(lines)}:\n{self.err}"
        return lines[0]

    @property
    def json(self):
        return json.loads(self.out)


def check_no_secret(text):
    for secret in SECRETS:
        assert secret not in text, "a secret was printed"


def environment(**extra):
    base = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1"}
    for name in ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"):
        if name in os.environ:
            base[name] = os.environ[name]
    base.update(extra)
    return {name: value for name, value in base.items() if value is not None}


def finish(process, timeout=120):
    out, err = process.communicate(timeout=timeout)
    result = Result(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
    check_no_secret(result.out + result.err)
    for sign in ("AddressSanitizer", "ThreadSanitizer", "runtime error:", "LeakSanitizer"):
        assert sign not in result.err, result.err
    return result


def start(*args, env=None, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen([BINARY, *map(str, args)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=environment(**(env or {})), **options)


def penates(*args, env=None, timeout=120, **options):
    return finish(start(*args, env=env, **options), timeout)


@pytest.fixture
def s3():
    """A strict fake, started empty; the test fills and scripts it."""
    with FakeS3() as server:
        yield server


@pytest.fixture(params=["priam-v1", "priam-v2"])
def backup(request):
    return DATA / request.param


@pytest.fixture
def backup_s3(backup):
    with FakeS3(tree_store(backup)) as server:
        server.fixture = backup
        yield server


def source_args(server, base="backup"):
    return [f"s3://{server.bucket}/{base}", "--endpoint", server.endpoint, "--path-style"]


def sha256_tree(root):
    """Relative path -> SHA-256, of everything but .penates."""
    root = pathlib.Path(root)
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_file() and not name.startswith(".penates/"):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def expected_tree(fixture, point):
    lines = (fixture / f"expected-{point}.sha256").read_text().splitlines()
    return {line[66:]: line[:64] for line in lines}


def points(fixture):
    """name -> Priam's date range."""
    rows = [line.split("\t") for line in (fixture / "points.tsv").read_text().splitlines()]
    return {row[0]: row[1] for row in rows}
