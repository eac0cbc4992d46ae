"""restore --after: a command when all is in place, once, and its failure is a failure."""

import json
import os
import shlex
import signal
import stat
import sys
import time

import pytest
from conftest import finish, penates, sha256_tree, source_args, start
from fake_s3 import FakeS3
from small_backup import standard
from test_cli import check_schema


@pytest.fixture
def world(tmp_path):
    """A backup, a target, and a script whose runs leave a trace."""
    with FakeS3(standard().store) as server:
        yield World(server, tmp_path)


class World:
    def __init__(self, server, folder):
        self.server = server
        self.target = folder / "data"
        self.folder = folder
        self.trace = folder / "trace"

    def args(self, *after):
        args = ["restore", *source_args(self.server), "--into", self.target]
        for command in after:
            args += ["--after", command]
        return args

    def restore(self, *after, more=(), **options):
        return penates(*self.args(*after), *more, **options)

    def script(self, body, name="script"):
        """A shell script that notes its run and then does `body`; the command that runs it."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\necho {name} >>{shlex.quote(str(self.trace))}\n{body}\n")
        path.chmod(0o755)
        return str(path)

    @property
    def runs(self):
        return self.trace.read_text().split() if self.trace.exists() else []

    def wait_for_run(self):
        end = time.monotonic() + 20
        while not self.runs and time.monotonic() < end:
            time.sleep(0.02)
        assert self.runs, "the command was never run"


def test_runs_when_all_is_in_place(world):
    stamp = world.target / ".penates" / "restored"
    script = world.script(f"test -f {stamp} && test -f {stamp.parent}/report.json && "
                          f"cp -r {world.target} {world.folder}/seen")
    report = world.folder / "report.json"
    result = world.restore(script, more=["--json", "--report", report])
    assert result.code == 0, result.err
    assert world.runs == ["script"]
    assert sha256_tree(world.folder / "seen") == sha256_tree(world.target)
    check_schema(result.json, "result")
    check_schema(json.loads(report.read_text()), "report")
    assert result.json["after"] == json.loads(report.read_text())["after"] == "done"
    kept = json.loads((stamp.parent / "report.json").read_text())
    assert kept["result"] == "restored"
    assert kept["after"] == "not-run"


def test_its_time_is_not_that_of_the_restore(world):
    """Neither is the step that it took, most likely, still to be taken."""
    result = world.restore("sleep 3", more=["--json"])
    assert result.code == 0, result.err
    assert result.json["seconds"] < 3
    assert "penates: next: " not in result.err
    again = world.restore("sleep 3.0", more=["--json"])
    assert again.json["after"] == "done"
    assert again.json["seconds"] < 3


def test_words_without_a_shell(world):
    program = world.folder / "show args"
    program.write_text(f"#!{sys.executable}\nimport json, sys\n"
                       f"json.dump(sys.argv[1:], open({str(world.trace)!r}, 'w'))\n")
    program.chmod(0o755)
    result = world.restore(f"'{program}' $HOME 'a b' \"c \\\" d\" e\\ f ; * ''")
    assert result.code == 0, result.err
    assert json.loads(world.trace.read_text()) == ["$HOME", "a b", 'c " d', "e f", ";", "*", ""]


def test_what_the_command_is_given(world):
    """No input, our stderr, nothing else open, standard signals, our environment."""
    program = world.folder / "look"
    program.write_text(f"""#!{sys.executable}
import json, os, signal, sys
print("on stdout", flush=True)
print("on stderr", file=sys.stderr, flush=True)
json.dump({{
    "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{{fd}}")),
    "stdin": os.readlink("/proc/self/fd/0"),
    "same": os.fstat(1).st_ino == os.fstat(2).st_ino,
    "status": open("/proc/self/status").read(),
    "group": os.getpgrp() == os.getpid(),
    "environment": dict(os.environ),
}}, open({str(world.trace)!r}, "w"))
""")
    program.chmod(0o755)
    # Python ignores SIGPIPE itself; what it was started with is in /proc/PID/status of a shell.
    shell = world.folder / "shell"
    shell.write_text(f"#!/bin/sh\ncp /proc/self/status {world.folder}/status\nexec {program}\n")
    shell.chmod(0o755)
    inherited = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    try:
        result = world.restore(str(shell), more=["--json"], env={"OURS": "as it is"},
                               pass_fds=[inherited],
                               preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    finally:
        os.close(inherited)
    assert result.code == 0, result.err
    assert len(result.out.splitlines()) == 1, "stdout is for the one line of JSON"
    assert "on stdout\n" in result.err
    assert "on stderr\n" in result.err
    seen = json.loads(world.trace.read_text())
    assert seen["fds"] == [0, 1, 2]
    assert seen["stdin"] == "/dev/null"
    assert seen["same"]
    assert seen["environment"]["OURS"] == "as it is"
    status = dict(line.split(":\t", 1) for line in (world.folder / "status").read_text().splitlines())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD):
        assert not int(status["SigIgn"], 16) >> (number - 1) & 1, number
    assert int(status["SigBlk"], 16) == 0


def test_a_failure_is_a_failure_and_only_it_is_run_again(world):
    flag = world.folder / "good"
    script = world.script(f"echo something is wrong; test -f {flag}")
    result = world.restore(f"{script} --password=hunter2", more=["--json"])
    assert result.code == 75
    assert result.error.startswith(f"penates: error: --after: '{script}' failed: exit status 1; ")
    assert "something is wrong\n" in result.err
    assert "hunter2" not in result.err + result.out
    check_schema(result.json, "result")
    assert result.json["result"] == "failed"
    assert result.json["after"] == "failed"
    assert result.json["files"] == result.json["files_wanted"] == 15
    tree = sha256_tree(world.target)
    status = penates("status", world.target, "--json")
    assert status.json["state"] == "done"
    assert status.json["error"] is None

    asked = len(world.server.requests)
    flag.write_text("")
    result = world.restore(f"{script} --password=hunter2", more=["--json"])
    assert result.code == 0, result.err
    assert result.json["result"] == "already-restored"
    assert result.json["after"] == "done"
    assert world.runs == ["script", "script"]
    assert len(world.server.requests) == asked, "nothing is asked of the store"
    assert sha256_tree(world.target) == tree

    result = world.restore(f"{script}   '--password=hunter2'", more=["--json"])
    assert result.code == 0, result.err
    assert result.json["after"] == "earlier"
    assert world.runs == ["script", "script"], "what has succeeded is not run twice"
    mark = world.target / ".penates" / "after"
    assert "hunter2" not in mark.read_text()
    assert stat.S_IMODE(mark.stat().st_mode) == 0o640


def test_several_in_order_from_where_it_failed(world):
    one = world.script("true", "one")
    two = world.script(f"test -f {world.folder}/good", "two")
    three = world.script("true", "three")
    assert world.restore(one, two, three).code == 75
    assert world.runs == ["one", "two"]
    (world.folder / "good").write_text("")
    assert world.restore(one, two, three).code == 0
    assert world.runs == ["one", "two", "two", "three"]


def test_a_corrected_command_is_another_one(world):
    assert world.restore(world.script("exit 3", "wrong")).code == 75
    result = world.restore(world.script("exit 0", "right"))
    assert result.code == 0, result.err
    assert world.runs == ["wrong", "right"]


def test_a_restore_that_was_done_without_it(world):
    assert world.restore().code == 0
    result = world.restore(world.script("true"), more=["--json"])
    assert result.code == 0, result.err
    assert result.json["after"] == "done"
    assert world.runs == ["script"]


def test_not_run_when_the_restore_fails(world):
    world.server.store.put(next(key for key in world.server.store.objects if "nb-2-big-Data" in key),
                           b"something else")
    result = world.restore(world.script("true"), more=["--json"])
    assert result.code == 65
    assert world.runs == []
    assert result.json["after"] == "not-run"
    assert world.restore(more=["--json"]).json["after"] is None


@pytest.mark.parametrize("command, why", [
    ("penates-no-such-program", "'penates-no-such-program' is not a program that can be run"),
    ("/nonexistent/program", "'/nonexistent/program' is not a program that can be run"),
    ("/", "'/' is not a program that can be run"),
    ("/etc/passwd x", "'/etc/passwd' is not a program that can be run"),
    ("", "--after: names no program"),
    ("sh -c 'exit", "--after: has a quote that does not end"),
])
def test_known_before_a_byte_moves(world, command, why):
    result = world.restore(world.script("true"), command)
    assert result.code == 64
    assert why in result.error
    assert world.server.requests == []
    assert not world.target.exists()
    assert world.runs == []


def test_a_variable_is_for_a_shell(world):
    result = world.restore(f"PASSWORD=hunter2 {world.script('true')}")
    assert result.code == 64
    assert "--after: 'PASSWORD=...' is not a program" in result.error
    assert "hunter2" not in result.err
    assert world.server.requests == []


def test_by_path_alone(world):
    world.script("true", "by-path")
    assert world.restore("by-path").code == 64
    path = f"/nonexistent::{world.folder}:/usr/bin:/bin"
    result = world.restore("by-path", env={"PATH": path})
    assert result.code == 0, result.err
    assert world.runs == ["by-path"]


def test_a_program_that_cannot_be_started(world):
    program = world.folder / "no-format"
    program.write_bytes(b"\x00\x01neither a script nor a binary")
    program.chmod(0o755)
    result = world.restore(str(program))
    assert result.code == 75
    assert f"--after: '{program}' cannot be run: Exec format error" in result.error


def test_from_variable_and_file(world):
    script = world.script("true")
    assert world.restore(env={"PENATES_AFTER": script}).code == 0
    assert world.runs == ["script"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_passed_on_once(world, number):
    """To all of the command's processes, and the next command is not begun."""
    one = world.script(f"""trap 'echo caught >>{world.trace}; stop=1' INT TERM
echo $$ >{world.folder}/group
while [ -z "$stop" ]; do sleep 0.1; done
sleep 0.5  # another signal would be caught, too
exit 7""", "one")
    two = world.script("true", "two")
    process = start(*world.args(one, two))
    while not (world.folder / "group").exists() or not (world.folder / "group").read_text():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    result = finish(process)
    assert result.code == 75
    assert f"'{one}' failed: exit status 7" in result.error
    assert world.runs == ["one", "caught"]
    with pytest.raises(ProcessLookupError):
        os.killpg(int((world.folder / "group").read_text()), 0)


def test_a_command_that_a_signal_ends(world):
    result = world.restore(world.script("kill -9 $$"))
    assert result.code == 75
    assert "was ended by signal 9 (Killed)" in result.error


def test_a_signal_that_the_command_survives_stops_the_next_one(world):
    one = world.script(f"""trap 'stop=1' TERM
touch {world.folder}/ready
while [ -z "$stop" ]; do sleep 0.1; done
exit 0""", "one")
    two = world.script("true", "two")
    process = start(*world.args(one, two))
    while not (world.folder / "ready").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    result = finish(process)
    assert result.code == 75
    assert f"'{two}': interrupted before it was run" in result.error
    assert world.runs == ["one"]
    assert world.restore(one, two).code == 0
    assert world.runs == ["one", "two"]


def test_a_second_run_waits_for_nobody(world):
    """The lock is held while the command runs."""
    process = start(*world.args(world.script("sleep 3")))
    world.wait_for_run()
    result = world.restore(world.script("true", "other"))
    assert result.code == 78
    assert "other" not in world.runs
    assert finish(process).code == 0


def test_killed_while_the_command_runs(world):
    """Nothing was noted: it runs again, which is why it should be fit for that."""
    script = world.script("sleep 1")
    process = start(*world.args(script))
    world.wait_for_run()
    process.kill()
    process.communicate()
    assert world.restore(script).code == 0
    assert world.runs == ["script", "script"]
