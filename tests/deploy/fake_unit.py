#!/usr/bin/env python3
"""systemctl and journalctl of a machine with one oneshot unit, which runs in the background and does
not hear of it when whoever started it is killed. FAKE_SYSTEMD is its folder: `unit.json` has command
and environment of the unit, `state.json` what `systemctl show` tells, `journal-ID` what a run said,
`calls` what was asked, `cassandra` whether that is masked and started."""

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
import uuid

HOME = pathlib.Path(os.environ["FAKE_SYSTEMD"])
UNIT = "penates-restore.service"
NEW = {"ActiveState": "inactive", "Job": "", "Result": "success", "ExecMainStatus": 0,
       "InvocationID": "", "pid": 0}


@contextlib.contextmanager
def state():
    """What is changed in it is kept."""
    with open(HOME / "lock", "a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = HOME / "state.json"
        now = json.loads(path.read_text()) if path.exists() else dict(NEW)
        yield now
        fresh = HOME / "state.json.new"
        fresh.write_text(json.dumps(now))
        fresh.replace(path)  # who reads it without the lock finds the old or the new


def supervise():
    """The life of one run, as systemd follows it: own session, own environment."""
    unit = json.loads((HOME / "unit.json").read_text())
    with state() as now:
        journal = HOME / f"journal-{now['InvocationID']}"
    with open(journal, "wb") as out:
        process = subprocess.Popen(unit["command"], env=unit["environment"], stdout=out, stderr=out,
                                   stdin=subprocess.DEVNULL)
    with state() as now:
        now.update(ActiveState="activating", Job="", pid=process.pid)
    code = process.wait()
    with state() as now:
        killed = code < 0
        now.update(ActiveState="active" if code == 0 else "failed", pid=0, ExecMainStatus=abs(code),
                   Result="success" if code == 0 else "signal" if killed else "exit-code")


def start(unit):
    if unit != UNIT:
        (HOME / "cassandra").write_text("masked" if is_masked() else "up")
        return int(is_masked())
    with state() as now:
        if now["ActiveState"] in ("active", "activating") or now["Job"]:
            return 0
        now.update(Job="1", InvocationID=uuid.uuid4().hex)
    if os.fork() == 0:
        os.setsid()
        with open(os.devnull, "r+b") as null:
            for descriptor in range(3):
                os.dup2(null.fileno(), descriptor)
        supervise()
        os._exit(0)
    return 0


def stop():
    with state() as now:
        pid = now["pid"]
        if now["ActiveState"] == "active":
            now["ActiveState"] = "inactive"
    if pid:
        os.kill(pid, signal.SIGTERM)
        while True:
            with state() as now:
                if not now["pid"]:
                    return 0
    return 0


def is_masked():
    return (HOME / "masked").exists()


def show(properties):
    if (HOME / "deaf").exists():
        print("Failed to connect to bus", file=sys.stderr)
        return 1
    with state() as now:
        for name in properties:
            if name != "Job" or now[name]:
                print(f"{name}={now[name]}")
    return 0


def systemctl(verb, *words):
    names = [word for word in words if not word.startswith("-")]
    with open(HOME / "calls", "a", encoding="ascii") as calls:
        if verb != "show":
            calls.write(" ".join([verb, *words]) + "\n")
    if verb == "show":
        return show([name for flag, name in zip(words, words[1:]) if flag == "-p"])
    if verb == "start":
        return start(names[0])
    if verb == "stop":
        return stop()
    if verb == "mask":
        (HOME / "masked").touch()
    elif verb == "unmask":
        (HOME / "masked").unlink(missing_ok=True)
    elif verb == "reset-failed":
        with state() as now:
            if now["ActiveState"] == "failed":
                now.update(NEW)
    elif verb not in ("daemon-reload", "enable"):
        print(f"Unknown command verb {verb}.", file=sys.stderr)
        return 1
    return 0


def journalctl(*words):
    for word in words:
        if word.startswith("_SYSTEMD_INVOCATION_ID="):
            path = HOME / f"journal-{word.partition('=')[2]}"
            if path.exists():
                sys.stdout.write(path.read_text(errors="replace"))
    return 0


if __name__ == "__main__":
    program = {"systemctl": systemctl, "journalctl": journalctl}[pathlib.Path(sys.argv[0]).name]
    sys.exit(program(*sys.argv[1:]))
