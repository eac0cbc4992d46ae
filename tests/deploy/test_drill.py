"""The command of penates-verify.service, as systemd would put it together, against a fake S3."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT = (ROOT / "deploy/systemd/penates-verify.service").read_text()
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "e2e")]

from fake_s3 import FakeS3, Fault  # noqa: E402
from fake_s3.server import ACCESS_KEY, SECRET_KEY  # noqa: E402
from small_backup import CLUSTER  # noqa: E402
from test_ring import nodes  # noqa: E402

BINARY = os.environ.get("PENATES", str(ROOT / "build" / "agent" / "penates"))


class Drill:
    def __init__(self, home, s3):
        self.home, self.s3, self.metrics = home, s3, home / "verify.prom"
        self.conf = home / "verify.conf"
        self.conf.write_text(f"endpoint = {s3.endpoint}\npath-style = true\nregion = us-east-1\n")

    def run(self, **settings):
        """`settings` as Environment= of a drop-in. Returns (exit code, metrics)."""
        environment = dict(word.split("=", 1) for line in re.findall(r"^Environment=(.*)$", UNIT, re.M)
                           for word in shlex.split(line.replace("%%", "%")))
        environment.update(settings, PATH=os.environ["PATH"], AWS_ACCESS_KEY_ID=ACCESS_KEY,
                           AWS_SECRET_ACCESS_KEY=SECRET_KEY, AWS_EC2_METADATA_DISABLED="true",
                           PENATES_CONFIG=str(self.conf))
        for kind in ("ExecStartPre", "ExecStart"):
            (line,) = re.findall(rf"^{kind}=-?(.*)$", UNIT, re.M)
            line = line.replace("/var/lib/penates/verify.prom", str(self.metrics)).replace(
                "/usr/bin/penates", BINARY)
            words = []
            for word in line.split():  # $NAME alone is split at blanks, and nothing when empty
                words += environment[word[1:]].split() if word.startswith("$") else [word]
            result = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        text = self.metrics.read_text() if self.metrics.exists() else ""
        return result.returncode, dict(re.findall(r'^penates_(\w+)\{command="verify"\} (\S+)$', text, re.M))


@pytest.fixture
def drill(tmp_path):
    with FakeS3(nodes().store) as s3:
        yield Drill(tmp_path, s3)


def test_all_nodes_of_a_ring(drill):
    code, metrics = drill.run(DRILL_SOURCE="s3://backups/backup", PENATES_SAMPLE="100%")
    assert (code, metrics["success"], metrics["exit_code"], metrics["files"]) == (0, "1", "0", "45")


def test_a_sample_unless_told_otherwise(drill):
    code, metrics = drill.run(DRILL_SOURCE="s3://backups/backup")
    assert code == 0 and 0 < int(metrics["files"]) < 45


def test_the_source_may_be_that_of_priam(drill):
    properties = drill.home / "Priam.properties"
    properties.write_text(f"priam.s3.bucket=backups\npriam.clustername={CLUSTER}\n")
    drill.conf.write_text(drill.conf.read_text() + f"priam-properties = {properties}\n")
    assert drill.run()[0] == 0


def test_what_an_alarm_sees(drill):
    """Rot, a denial and a bad configuration, each after a success that must not stay."""
    whole = {"DRILL_SOURCE": "s3://backups/backup", "PENATES_SAMPLE": "100%"}
    for fault, wanted in ((Fault(key="nb-1-big-Data.db", flip_at=60, times=None), 65),
                          (Fault(kind="any", status=403, code="AccessDenied", times=None), 77)):
        assert drill.run(**whole)[1]["success"] == "1"
        drill.s3.faults.append(fault)
        code, metrics = drill.run(**whole)
        assert code == wanted
        assert (metrics["success"], metrics["exit_code"]) == ("0", str(wanted))
        assert float(metrics["end_timestamp_seconds"]) > 0
        drill.s3.faults.clear()
    assert drill.run(**whole)[0] == 0
    drill.conf.write_text("sampel = 5%\n")
    assert drill.run(**whole) == (64, {})  # none at all, which is what `absent()` is for


def test_the_numbers_of_the_page_follow_from_its_formula():
    text = (ROOT / "deploy/docs/drill.md").read_text()
    rows = re.findall(r"^\| (\d+)% \| (.*) \|$", text, re.M)
    assert [int(percent) for percent, _ in rows] == [5, 10, 25]
    for percent, rest in rows:
        share = int(percent) / 100
        found = [f"{100 * (1 - (1 - share) ** times):.1f}%" for times in (1, 52, 10, 100)]
        runs = next(k for k in range(1, 1000) if 1 - (1 - share) ** k >= 0.95)
        assert rest.split(" | ") == [*found, str(runs)]


def test_a_sample_is_a_new_one_each_time_and_one_damaged_sstable_is_found_as_often_as_said(drill):
    """Three nodes of three SSTables: a third of them, in 60 runs. 5 sigma on either side."""
    drill.s3.faults.append(Fault(key=r"/1808575600/.*nb-1-big-Data.db", flip_at=60, times=None))
    codes = [drill.run(DRILL_SOURCE="s3://backups/backup", PENATES_SAMPLE="34%", PENATES_SEED=str(seed))[0]
             for seed in range(60)]
    assert set(codes) == {0, 65}
    assert abs(codes.count(65) - 60 / 3) < 5 * (60 / 3 * 2 / 3) ** 0.5
