"""The SSM documents' scripts, run as SSM's agent runs them, old and new: with the real penates, a fake
S3, and a fake systemd whose unit runs on when its follower is killed."""

import functools
import json
import os
import pathlib
import shutil
import signal
import sys
import time

import pytest
import ssm_agent
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY, HERE = ROOT / "deploy", ROOT / "tests" / "deploy"
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "e2e")]

from fake_s3 import FakeS3, Fault  # noqa: E402
from fake_s3.server import ACCESS_KEY, SECRET_KEY  # noqa: E402
from small_backup import CLUSTER  # noqa: E402
from test_cli import check_schema  # noqa: E402
from test_restore_table import Errand  # noqa: E402
from test_ring import STATE, TOKENS, nodes  # noqa: E402

BINARY = os.environ.get("PENATES", str(ROOT / "build" / "agent" / "penates"))
SCRIPT = "/usr/lib/penates/ssm"
HARMS = ["$(touch HARM)`touch HARM`; touch HARM & '; touch HARM; '\"; touch HARM; \"${IFS}%n\\x27",
         "x\nafter = /bin/touch HARM", "--after=/bin/touch HARM", "x" * 2000, "\u00e9"]
NODETOOL = """#!/bin/sh
echo "$@" >>"{home}/nodetool"
case $1 in
netstats) cat "{home}/netstats" 2>/dev/null ;;
info) cat "{home}/info" ;;
*) exit "$(cat "{home}/code" 2>/dev/null || echo 0)" ;;
esac
"""


@functools.cache
def document(name):
    return yaml.safe_load((DEPLOY / "ssm" / f"{name}.yaml").read_text())


class Machine:
    """A node with the package, its configuration, and an SSM agent."""

    def __init__(self, home, s3):
        self.home, self.s3, self.conf = home, s3, home / "penates.conf"
        self.data = home / "cassandra" / "data"
        self.systemd, bin_, lib = home / "systemd", home / "bin", home / "lib"
        for path in (self.data, self.systemd, bin_, lib):
            path.mkdir(parents=True)
        (bin_ / "penates").symlink_to(BINARY)
        for name in ("systemctl", "journalctl"):
            (bin_ / name).symlink_to(HERE / "fake_unit.py")
        (bin_ / "nodetool").write_text(NODETOOL.format(home=home))
        (bin_ / "nodetool").chmod(0o755)
        shutil.copy(DEPLOY / "ssm/ssm", lib)
        shutil.copy(DEPLOY / "user-data/user-data", lib)
        shutil.copy(DEPLOY / "restore-table.sh", lib / "restore-table")
        self.script = lib / "ssm"
        self.conf.write_text(f"endpoint = {s3.endpoint}\npath-style = true\nregion = us-east-1\n"
                             f"into = {self.data}\n")
        own = {"PATH": f"{bin_}:{pathlib.Path(sys.executable).parent}:/usr/bin:/bin",
               "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
               "AWS_EC2_METADATA_DISABLED": "true", "PENATES_CONFIG": str(self.conf)}
        self.environment = {**own, "FAKE_SYSTEMD": str(self.systemd), "PENATES_CONF": str(self.conf),
                            "PENATES_SSM_PAUSE": "0.1", "PENATES_SSM_LOCK": str(home / "lock")}
        (self.systemd / "unit.json").write_text(json.dumps(
            {"command": [BINARY, "restore", "--json", "--history", str(home / "history"),
                         "--metrics", str(home / "penates.prom")], "environment": own}))
        (home / "history").mkdir()

    def options(self, options):
        return {"environment": {**self.environment, **options.pop("more", {})},
                "moved": {SCRIPT: self.script}, **options}

    def run(self, name, _old=False, **given):
        invocation = ssm_agent.run(document(name), given, **self.options({"old": _old}))
        assert SECRET_KEY not in invocation.stdout + invocation.stderr
        if invocation.stdout.startswith('{"format":"penates-ssm"'):
            check_schema(invocation.line, "ssm")
        return invocation

    def start(self, name, **given):
        return ssm_agent.start(document(name), given, **self.options({}))

    def state(self):
        path = self.systemd / "state.json"
        return json.loads(path.read_text()) if path.exists() else {"ActiveState": "inactive", "pid": 0}

    def runs(self):
        return len(list(self.systemd.glob("journal-*")))

    def called(self):
        path = self.systemd / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def plan(self):
        line = self.run("Penates-Plan", What="ring", Source=f"s3://{self.s3.bucket}/backup",
                        State=STATE).line
        assert line["exit"] == 0, line
        return line["ring"]

    def hang(self):
        """From now on one file does not come, until `go_on`."""
        self.s3.faults.append(Fault(key="nb-3-big-Data.db", times=None, after=0, stall_at=10))

    def wait(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, (self.state(), [j.read_text() for j in self.systemd.glob('journal-*')])
            time.sleep(0.05)

    def is_fetching(self):
        return (self.data / ".penates/journal").exists() and self.state()["pid"]


@pytest.fixture
def machine(tmp_path):
    with FakeS3(nodes().store) as s3:
        machine = Machine(tmp_path, s3)
        yield machine
        for _ in range(100):  # a unit that was just started has no process yet
            if machine.state()["pid"]:
                os.kill(machine.state()["pid"], signal.SIGKILL)
                break
            if machine.state()["ActiveState"] != "inactive" or not machine.runs():
                break
            time.sleep(0.1)


both_agents = pytest.mark.parametrize("old", [False, True], ids=["new", "old"])


@both_agents
def test_from_a_plan_to_a_restored_node(machine, old):
    line = machine.run("Penates-Plan", old, What="ring", Source=f"s3://{machine.s3.bucket}/backup",
                       State=STATE, SlotIp="0=10.0.0.1,1=10.0.0.2", RackZone="us-east-1a=eu-west-1a").line
    assert (line["exit"], line["slots"], line["left_out"]) == (0, 3, 0)
    assert line["totals"]["files"] == 45
    made = json.loads(machine.s3.store.objects[line["ring"].removeprefix("s3://backups/")].body.data)
    assert [slot["ip"] for slot in made["slots"]] == ["10.0.0.1", "10.0.0.2", None]
    seen = machine.run("Penates-Plan", old, What="ring", Ring=line["ring"]).line
    assert (seen["ring"], seen["slots"], seen["restored"]) == (line["ring"], 3, 0)

    plan = machine.run("Penates-Plan", old, Ring=line["ring"], Slot="1").line
    assert plan["exit"] == 0 and plan["totals"]["files"] == 15 and plan["tables"] == 1
    assert not any(machine.data.iterdir()) and machine.runs() == 0

    ran = machine.run("Penates-Run", old, Ring=line["ring"], Slot="1")
    assert (ran.status, ran.code) == ("Success", 0)
    check_schema(ran.line, "result")
    assert ran.line["result"] == "restored" and ran.line["files"] == 15
    assert json.loads((machine.data / ".penates/restored").read_text())["nodes"][0]["token"] == TOKENS[1]
    assert f"ring = {line['ring']}\nslot = 1\n" in machine.conf.read_text()
    assert "enable penates-restore.service" in machine.called()

    status = machine.run("Penates-Status", old)
    check_schema(status.line, "status")
    assert status.line["state"] == "done"
    again = machine.run("Penates-Run", old, Ring=line["ring"], Slot="1")
    assert again.line["result"] == "restored" and machine.runs() == 1
    assert machine.run("Penates-Plan", old, What="ring", Ring=line["ring"]).line["restored"] == 1


def test_a_node_whose_journal_is_gone_still_tells(machine):
    ring = machine.plan()
    assert machine.run("Penates-Run", Ring=ring, Slot="0").code == 0
    for journal in machine.systemd.glob("journal-*"):
        journal.unlink()
    again = machine.run("Penates-Run")
    assert (again.code, again.line["format"], again.line["state"]) == (0, "penates-status", "done")


def test_a_second_run_joins_the_first(machine):
    ring = machine.plan()
    machine.hang()
    first = machine.start("Penates-Run", Ring=ring, Slot="2")
    machine.wait(machine.is_fetching)
    second = machine.start("Penates-Run", Ring=ring, Slot="2")
    third = machine.start("Penates-Run")
    status = machine.run("Penates-Status")
    assert status.line["state"] == "running"
    other = machine.run("Penates-Run", Ring=ring, Slot="1")
    assert other.code == 78 and "is activating with another configuration" in other.line["error"]
    started = "start --no-block penates-restore.service"
    machine.wait(lambda: machine.called().count(started) == 3)
    os.kill(machine.state()["pid"], signal.SIGTERM)
    ends = [ssm_agent.finish(process) for process in (first, second, third)]
    assert {end.code for end in ends} == {75}
    assert len({end.stdout for end in ends}) == 1 and machine.runs() == 1
    assert ends[0].line["result"] == "interrupted"
    assert "slot = 2\n" in machine.conf.read_text()


def test_of_two_at_once_one_joins_or_is_refused(machine):
    ring = machine.plan()
    slots = ["0", "1", "0", "1"]
    ends = [ssm_agent.finish(process) for process in
            [machine.start("Penates-Run", Ring=ring, Slot=slot) for slot in slots]]
    codes = {slot: {end.code for end, its in zip(ends, slots) if its == slot} for slot in "01"}
    assert sorted(codes.values(), key=min) == [{0}, {78}], [end.stdout for end in ends]
    (slot,) = [slot for slot in "01" if codes[slot] == {0}]
    assert machine.runs() == 1 and f"slot = {slot}\n" in machine.conf.read_text()
    token = json.loads((machine.data / ".penates/restored").read_text())["nodes"][0]["token"]
    assert token == TOKENS[int(slot)]


def test_a_cancelled_command_leaves_the_restore_alone(machine):
    ring = machine.plan()
    machine.hang()
    follower = machine.start("Penates-Run", Ring=ring, Slot="0")
    machine.wait(machine.is_fetching)
    ssm_agent.cancel(follower)
    pid = machine.state()["pid"]
    os.kill(pid, 0)  # it is there
    stopped = machine.run("Penates-Cancel")
    assert (stopped.code, stopped.line["restore"]) == (0, "interrupted")
    assert machine.state()["pid"] == 0
    machine.s3.faults.clear()
    done = machine.run("Penates-Run")
    assert done.code == 0 and done.line["result"] == "restored", done.stderr
    assert done.line["files_earlier"] > 0


def test_cancel_of_what_is_done_keeps_it_done(machine):
    assert machine.run("Penates-Run", Ring=machine.plan(), Slot="0").code == 0
    line = machine.run("Penates-Cancel").line
    assert (line["unit"], line["restore"]) == ("active", "done")
    assert not any(call.startswith("stop") for call in machine.called())


@both_agents
def test_the_exit_code_of_the_unit_is_that_of_the_command(machine, old):
    ring = machine.plan()
    (machine.data / "ks").mkdir()
    (machine.data / "ks" / "not-ours").write_text("x")
    failed = machine.run("Penates-Run", old, Ring=ring, Slot="0")
    assert (failed.status, failed.code) == ("Failed", 78)
    check_schema(failed.line, "result")
    assert failed.line["exit"] == 78 and failed.line["error"] and failed.line["next"]
    (machine.data / "ks" / "not-ours").unlink()
    (machine.data / "ks").rmdir()
    assert machine.run("Penates-Run", old).code == 0


def test_a_configuration_that_is_none_is_told_by_its_own_words(machine):
    machine.conf.write_text(machine.conf.read_text() + "ring = /no/such.json\nslot = x\nthreads = many\n")
    failed = machine.run("Penates-Run")
    assert failed.code == 64
    assert "threads" in failed.line["error"] and "(penates-restore.service: exit-code)" in failed.line["error"]


def test_status_tells_of_a_run_that_failed_before_it_began(machine):
    assert machine.run("Penates-Status").line["state"] == "new"
    ring = machine.plan()
    machine.s3.faults.append(Fault(kind="get", status=403, code="AccessDenied", times=None))
    assert machine.run("Penates-Run", Ring=ring, Slot="0").code == 77
    told = machine.run("Penates-Status")
    assert told.code == 77 and "AccessDenied" in told.line["error"]


def test_a_restore_that_is_killed_is_to_be_run_again(machine):
    ring = machine.plan()
    machine.hang()
    follower = machine.start("Penates-Run", Ring=ring, Slot="0")
    machine.wait(machine.is_fetching)
    os.kill(machine.state()["pid"], signal.SIGKILL)
    end = ssm_agent.finish(follower)
    assert end.code == 75 and "(penates-restore.service: signal)" in end.line["error"]


def test_a_systemd_that_does_not_answer(machine):
    (machine.systemd / "deaf").touch()
    for name in ("Penates-Run", "Penates-Cancel"):
        end = machine.run(name)
        assert (end.code, end.line["exit"]) == (69, 69)


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name, parameter", [
    (name, parameter) for name in ("Penates-Plan", "Penates-Run", "Penates-Table")
    for parameter in document(name)["parameters"]])
def test_a_value_is_never_run(machine, name, parameter, harm):
    """The patterns refuse it, or it is text: on an agent with variables even without the patterns."""
    mark = machine.home / "harm"
    value = harm.replace("HARM", str(mark))
    if parameter in ("Ring", "Source", "State") and not value.startswith("-"):
        value = f"s3://backups/{value}"
    given = {"Table": "ks.users", "Source": "s3://backups/backup", "Token": TOKENS[0]}
    given = {key: text for key, text in given.items() if key in document(name)["parameters"]}
    given[parameter] = value
    before = machine.conf.read_text()
    machine.s3.faults.append(Fault(kind="any", status=403, code="AccessDenied", times=None))
    with pytest.raises(ssm_agent.InvalidParameters):
        ssm_agent.take_parameters(document(name), given)
    end = ssm_agent.run(document(name), given, **machine.options({"checked": False}))
    assert not mark.exists()
    assert end.code == 64 and end.line["exit"] == 64, end.stderr
    assert machine.conf.read_text() == before and machine.runs() == 0


@pytest.mark.parametrize("name", ["Penates-Plan", "Penates-Run", "Penates-Table"])
def test_what_the_patterns_let_through_is_text_for_an_old_agent(name):
    """Every printable character that a pattern takes is one that double quotes keep from a shell."""
    for parameter, rule in document(name)["parameters"].items():
        if "allowedPattern" not in rule:
            continue
        for letter in '"$`\\\n!':
            for value in (letter, f"s3://ab{letter}", f"s3://ab/{letter}.json", f"a.b{letter}",
                          f"1{letter}", f"a=b{letter}", f"2026-11-23T07:54:3{letter}"):
                given = {"Table": "a.b", "Source": "s3://ab", parameter: value}
                given = {key: text for key, text in given.items()
                         if key in document(name)["parameters"]}
                if letter == "\n" and value.endswith("\n"):
                    continue  # see test_a_value_is_never_run: the script refuses it
                with pytest.raises(ssm_agent.InvalidParameters):
                    ssm_agent.take_parameters(document(name), given)


def test_a_selection_beside_a_ring_is_not_just_left_out(machine):
    ring = machine.plan()
    for name, given in (("Penates-Plan", {"Ring": ring, "Slot": "0", "At": "latest"}),
                        ("Penates-Run", {"Ring": ring, "Slot": "0", "Token": TOKENS[0]})):
        end = machine.run(name, **given)
        assert end.code == 64 and "the plan of the ring says that already" in end.line["error"]
    assert machine.runs() == 0


def test_a_plan_of_another_backup_does_not_ask_the_ring(machine):
    machine.conf.write_text(machine.conf.read_text() + "ring = s3://gone/plans/x.json\nslot = 0\n")
    line = machine.run("Penates-Plan", Source="s3://backups/backup", Token=TOKENS[2], Cluster=CLUSTER).line
    assert line["exit"] == 0 and line["totals"]["files"] == 15


def test_a_plan_that_fails_says_why_within_the_limits(machine):
    """Long words of a store, with quotes and other bytes, and a table of checks on stderr."""
    machine.s3.faults.append(Fault(kind="get", status=403, code="AccessDenied", times=None,
                                   message='"\\\u20ac ' * 500))
    end = machine.run("Penates-Plan", Source="s3://backups/backup", Token=TOKENS[0])
    assert end.code == 77 and end.line["exit"] == 77
    assert "AccessDenied" in end.line["error"]
    assert "CHECK" in end.stderr and "credentials" in end.stderr
    assert machine.run("Penates-Plan", What="ring").line["exit"] == 64


def test_cassandra_waits_and_is_started_when_told(machine):
    ring = machine.plan()
    assert machine.run("Penates-Run", Ring=ring, Slot="0", Cassandra="hold").code == 0
    assert "mask --runtime cassandra.service" in machine.called()
    assert not (machine.systemd / "cassandra").exists()
    (machine.home / "netstats").write_text("Mode: NORMAL\nNot sending any streams.\n")
    up = machine.run("Penates-Run", Cassandra="start")
    assert up.code == 0 and up.line["cassandra"] == "NORMAL"
    assert (machine.systemd / "cassandra").read_text() == "up"
    assert machine.runs() == 1


def test_a_cassandra_that_does_not_come_up_is_no_success(machine):
    ring = machine.plan()
    (machine.home / "netstats").write_text("Mode: JOINING\n")
    machine.environment.update(PENATES_SSM_PAUSE="1", PENATES_SSM_WAIT="1")
    end = machine.run("Penates-Run", Ring=ring, Slot="0", Cassandra="start")
    assert end.code == 75 and "Cassandra is not up after 1 s" in end.line["error"]


def test_a_failed_restore_starts_nothing(machine):
    ring = machine.plan()
    (machine.data / "ks").mkdir()
    (machine.data / "ks" / "not-ours").write_text("x")
    end = machine.run("Penates-Run", Ring=ring, Slot="0", Cassandra="start")
    assert end.code == 78 and end.line["result"] == "failed"
    assert not (machine.systemd / "cassandra").exists()


def live_table(machine):
    folder = machine.data / "ks" / "users-0123456789abcdef0123456789abcdef"
    folder.mkdir(parents=True)
    (machine.home / "info").write_text(f"ID : x\nToken                  : {TOKENS[1]}\n")
    return folder


def test_a_table_into_a_running_node_by_refresh(machine):
    """Also a node whose whole directory is an earlier restore's."""
    assert machine.run("Penates-Run", Ring=machine.plan(), Slot="1").code == 0
    (machine.home / "info").write_text(f"Token : {TOKENS[1]}\n")
    (folder,) = (machine.data / "ks").iterdir()
    before = set(folder.iterdir())
    end = machine.run("Penates-Table", Source="s3://backups/backup", Table="ks.users", Method="refresh")
    assert end.code == 0, end.stderr
    assert (end.line["table"], end.line["token"]) == ("ks.users", TOKENS[1])
    assert len(set(folder.iterdir()) - before) == 15
    assert "refresh ks users" in (machine.home / "nodetool").read_text()


@pytest.mark.parametrize("fails", [False, True])
def test_a_table_into_a_running_node_by_import(machine, fails):
    """The stand-ins are those of restore-table.sh's own tests."""
    live_table(machine)
    errand = Errand(machine.home / "bin")
    errand.change(failing=["files"] if fails else [])
    machine.environment["PATH"] = f"{errand.bin}:{machine.environment['PATH']}"
    given = {"Source": "s3://backups/backup", "Table": "ks.users", "Token": TOKENS[2]}
    end = machine.run("Penates-Table", **given, Count="yes", Host="10.0.0.1")
    work = machine.data.parent / "penates-table" / "ks.users"  # on the file system of the data
    if fails:
        assert end.code == 75 and "not loaded" in end.line["error"] and work.is_dir()
        return
    assert end.code == 0, end.stderr
    assert end.line["token"] == TOKENS[2]
    (call,) = errand.calls("nodetool")
    assert call == ["import", "ks", "users", str(work / "files/ks/users")]
    assert all("10.0.0.1" in query for query in errand.calls("cqlsh"))
    assert "0 rows before, 3 rows after" in end.stderr
    assert not work.exists() and machine.runs() == 0


def test_a_table_that_nodetool_does_not_take_is_no_success(machine):
    live_table(machine)
    (machine.home / "code").write_text("1")
    end = machine.run("Penates-Table", Source="s3://backups/backup", Table="ks.users", Method="refresh")
    assert end.code != 0 and "nodetool" in end.line["error"]


def test_a_node_of_many_tokens_is_asked_which(machine):
    live_table(machine)
    (machine.home / "info").write_text("Token : 1\nToken : 2\n")
    end = machine.run("Penates-Table", Source="s3://backups/backup", Table="ks.users")
    assert end.code == 64 and "has not one token" in end.line["error"]


def test_unknown_actions_explain_themselves(machine):
    for words in ((), ("restore",)):
        process = ssm_agent.subprocess.run([machine.script, *words], capture_output=True, text=True,
                                           env=machine.environment, check=False)
        assert process.returncode == 64 and '"action":"unknown"' in process.stdout
        assert "cancel  stops it" in process.stderr
