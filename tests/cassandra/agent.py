"""The penates under test, as a process. PENATES names the binary."""

import contextlib
import json
import os
import pathlib
import subprocess

from fake_s3 import FakeS3, tree_store
from fake_s3.server import ACCESS_KEY, SECRET_KEY

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = os.environ.get("PENATES", str(ROOT / "build" / "agent" / "penates"))


def run(*args, env=None):
    """The finished process, whatever its exit code."""
    base = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8",
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1"}
    return subprocess.run([BINARY, *map(str, args)], env=base | (env or {}), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False)


def restore(source, into, *args, env=None):
    """Restore into these data directories, which must succeed: the report."""
    into = [into] if isinstance(into, (str, os.PathLike)) else list(into)
    targets = [word for path in into for word in ("--into", path)]
    report = pathlib.Path(into[0]).with_name("report.json")
    done = run("restore", *source, *targets, "--report", report, *args, env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(report.read_text())


@contextlib.contextmanager
def serve(tree, kind="s3", without=()):
    """A tree of bucket/ and objects.tsv as a source, on an S3 server or as the directory that it is:
    the arguments that name it, and the environment. The S3 server lacks the keys in `without`."""
    if kind == "directory":
        yield [pathlib.Path(tree) / "bucket" / "backup"], {}
        return
    store = tree_store(tree)
    for key in without:
        store.delete(key)
    with FakeS3(store) as s3:
        yield ([f"s3://{s3.bucket}/backup", "--endpoint", s3.endpoint, "--path-style"],
               {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY})
