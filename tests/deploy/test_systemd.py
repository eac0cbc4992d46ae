"""The units, judged by systemd's own tools."""

import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SYSTEMD = ROOT / "deploy" / "systemd"
UNITS = ("penates-restore.service", "cassandra-data-disk.service")
DRILL = ("penates-verify.service", "penates-verify.timer")
RETRIED = {69, 70, 74, 75}  # an outage, a bug, a disk, an interruption: a rerun may go on
EXIT_CODES = {64, 65, 66, 69, 70, 73, 74, 75, 77, 78}
CASSANDRA = "[Service]\nType=forking\nExecStart=/etc/init.d/cassandra start\n"


def run(*args):
    return subprocess.run(args, capture_output=True, text=True, check=False)


def values(unit, name):
    return re.findall(rf"^{name}=(.*)$", (SYSTEMD / unit).read_text(), re.M)


@pytest.fixture
def image(tmp_path):
    """A root with our units, the system's own, and something executable where they point."""
    units = tmp_path / "usr/lib/systemd/system"
    shutil.copytree("/usr/lib/systemd/system", units, symlinks=True)
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    for name in UNITS + DRILL:
        shutil.copy(SYSTEMD / name, units)
    shutil.copytree(SYSTEMD / "cassandra.service.d", units / "cassandra.service.d")
    (units / "cassandra.service").write_text(CASSANDRA)
    (tmp_path / "lib").symlink_to("usr/lib")
    for name in UNITS:
        wants = tmp_path / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(exist_ok=True)
        (wants / name).symlink_to(f"/usr/lib/systemd/system/{name}")
    for path in ("usr/bin/penates", "usr/bin/rm", "usr/bin/touch", "usr/bin/systemctl", "usr/lib/penates/data-disk",
                 "etc/init.d/cassandra"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("#!/bin/sh\n")
        (tmp_path / path).chmod(0o755)
    return tmp_path


def verify(image, *units):
    return run("systemd-analyze", "verify", f"--root={image}", "--man=no", *units)


@pytest.mark.parametrize("unit", [*UNITS, *DRILL, "cassandra.service"])
def test_verify_has_nothing_to_say(image, unit):
    result = verify(image, unit)
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_verify_would_say_what_is_wrong(image):
    path = image / "usr/lib/systemd/system/penates-restore.service"
    path.write_text(path.read_text().replace("MemoryMax=", "MemoryMaximum="))
    assert "MemoryMaximum" in verify(image, "penates-restore.service").stderr


def test_no_cycle_with_the_boot_and_cloud_init():
    """What cloud-init runs after multi-user.target must not come before us, who are wanted by it."""
    for unit in UNITS:
        after = " ".join(values(unit, "After")).split()
        assert "cloud-final.service" not in after and "multi-user.target" not in after
        assert values(unit, "WantedBy") == ["multi-user.target"]
        assert "cassandra.service" in values(unit, "Before")[0].split()


@pytest.mark.parametrize("unit", ["penates-restore.service", "penates-verify.service"])
def test_exposure_is_at_most_one_point_five(unit):
    result = run("systemd-analyze", "security", "--offline=yes", "--threshold=15",
                 str(SYSTEMD / unit))
    assert result.returncode == 0, result.stdout[-300:]
    stricter = run("systemd-analyze", "security", "--offline=yes", "--threshold=10",
                   str(SYSTEMD / unit))
    assert stricter.returncode != 0  # the measure can say no


def test_only_what_a_rerun_may_cure_is_started_again():
    (codes,) = values("penates-restore.service", "RestartPreventExitStatus")
    assert {int(code) for code in codes.split()} == EXIT_CODES - RETRIED
    assert not values("penates-restore.service", "OnSuccess")
    assert values("penates-restore.service", "TimeoutStartSec") == ["infinity"]


def test_the_drill_is_off_until_it_is_enabled():
    assert not values("penates-verify.service", "WantedBy")
    assert values("penates-verify.timer", "WantedBy") == ["timers.target"]
    assert values("penates-verify.timer", "Persistent") == ["yes"]
    (when,) = values("penates-verify.timer", "OnCalendar")
    assert run("systemd-analyze", "calendar", when).returncode == 0


@pytest.mark.parametrize("unit", ["penates-restore.service", "penates-verify.service"])
def test_a_killed_run_leaves_no_success_behind(unit):
    (command,) = values(unit, "ExecStart")
    (before,) = values(unit, "ExecStartPre")
    metrics = re.search(r"--metrics (\S+)", command)[1]
    assert before == f"-/usr/bin/rm -f {metrics}"
    assert " --json " in command  # for the journal


@pytest.mark.parametrize("unit", ["penates-restore.service", "penates-verify.service"])
def test_an_option_of_the_unit_is_one_of_penates(unit):
    (command,) = values(unit, "ExecStart")
    page = (ROOT / "deploy" / "penates.1").read_text().replace("\\-", "-")
    for option in re.findall(r"--[a-z-]+", command):
        assert f" {option} " in page or f" {option}\n" in page, option


@pytest.mark.parametrize("enabled,restored,starts", [
    (False, False, True), (False, True, True), (True, True, True), (True, False, False)])
def test_cassandra_starts_where_nothing_is_restored_or_all_is(tmp_path, enabled, restored, starts):
    conditions = values("cassandra.service.d/10-penates.conf", "ConditionPathExists")
    places = {"/run/penates/restored": restored,
              "/etc/systemd/system/multi-user.target.wants/penates-restore.service": enabled}
    assert len(conditions) == len(places)
    moved = []
    for condition in conditions:
        mark, path = re.fullmatch(r"(\|!?)(.*)", condition).groups()
        there = tmp_path / path.lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        if places[path]:
            there.touch()
        moved.append(f"ConditionPathExists={mark}{there}")
    result = run("systemd-analyze", "condition", *moved)
    assert (result.returncode == 0) is starts, result.stdout + result.stderr


def test_the_disk_is_needed_where_it_is_enabled():
    assert values("cassandra-data-disk.service", "RequiredBy") == [
        "penates-restore.service cassandra.service"]
