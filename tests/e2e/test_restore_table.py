"""deploy/restore-table.sh with the real penates; cqlsh, sstableloader and nodetool are stand-ins that
keep a table's rows in a file. tests/cassandra has the same script with a real Cassandra."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import small_backup
from conftest import BINARY, DATA, ROOT, Result, environment, source_args
from fake_s3 import FakeS3, Store

SCRIPT = ROOT / "deploy" / "restore-table.sh"

# One program for all three, which does what its name says. An SSTable's rows are its file's name
# and the table's; state.json is the cluster.
STANDIN = r"""#!{python}
import json, os, pathlib, re, sys, time
name, args = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
home = pathlib.Path(sys.argv[0]).parent
state = json.loads((home / "state.json").read_text())
with open(home / "calls", "a") as calls:
    calls.write(json.dumps([name, *args]) + "\n")

def load(folder):
    if state.get("hang"):
        (home / "hanging").write_text(str(os.getpid()))
        time.sleep(60)
    token = folder.parts[-3]
    if token in state.get("failing", []):
        print("Could not retrieve endpoint ranges:", file=sys.stderr)
        sys.exit(1)
    for data in sorted(folder.glob("*-Data.db")):
        if data.name in state.get("skips", []):
            print(f"Skipping file {{data.name}} because index is missing")
        elif not state.get("swallows"):
            state["rows"].append(f"{{token}}/{{data.name}}")
    state["rows"] = sorted(set(state["rows"]))

def query(text):
    if state.get("down"):
        print("Connection error: ('Unable to connect to any servers', ...)", file=sys.stderr)
        sys.exit(1)
    print("WARNING: cqlsh was built against 5.0.0, but this server is 4.1.10.")
    for statement in text.split(";"):
        if "count(*)" in statement:
            print(f"\n count\n-------\n {{len(state['rows']):>5}}\n\n(1 rows)\n")
        elif "system_schema.keyspaces" in statement and state.get("keyspace", True):
            print(' {{"keyspace_name": "ks"}}')
        elif statement.strip().startswith("CREATE TABLE"):
            state["tables"].append(re.search(r'\."?(\w+)', statement)[1])
        elif "system_schema.tables" in statement:
            for table in state["tables"]:
                if f"table_name = '{{table}}'" in statement:
                    print(' {{"table_name": "%s", "flags": %s}}'
                          % (table, json.dumps(state.get("flags", ["compound"]))))
        elif "system_schema.views" in statement:
            for view, base in state.get("views", {{}}).items():
                print(' {{"view_name": "%s", "base_table_name": "%s"}}' % (view, base))
        elif "LIMIT 1" in statement:
            print(f"({{min(len(state['rows']), 1)}} rows)")

if name == "cqlsh":
    if "-f" in args:
        query(pathlib.Path(args[args.index("-f") + 1]).read_text())
    else:
        query(args[args.index("-e") + 1])
elif name == "sstableloader":
    load(pathlib.Path(args[-1]))
else:
    assert args[0] == "import", args
    load(pathlib.Path(args[3]))
(home / "state.json").write_text(json.dumps(state))
"""


class Errand:
    """The script, its stand-ins and a working directory."""

    def __init__(self, folder):
        self.folder, self.bin = folder, folder / "bin"
        self.bin.mkdir()
        for name in ("cqlsh", "sstableloader", "nodetool"):
            path = self.bin / name
            path.write_text(STANDIN.format(python=sys.executable))
            path.chmod(0o755)
        self.state = {"rows": [], "tables": ["users"]}

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name == "state":
            (self.bin / "state.json").write_text(json.dumps(value))

    def change(self, **values):
        self.state = self.read() | values

    def read(self):
        return json.loads((self.bin / "state.json").read_text())

    def calls(self, program):
        lines = (self.bin / "calls").read_text().splitlines()
        return [call[1:] for call in map(json.loads, lines) if call[0] == program]

    def start(self, *args, env=None):
        variables = environment(PENATES=BINARY, PATH=f"{self.bin}:{os.environ['PATH']}")
        return subprocess.Popen([SCRIPT, *map(str, args)], cwd=self.folder, text=True,
                                env=variables | (env or {}), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *args, env=None):
        process = self.start(*args, env=env)
        out, err = process.communicate(timeout=60)
        return Result(process.returncode, out, err)

    def left(self):
        return sorted(path.name for path in self.folder.iterdir() if path.name != "bin")


def error(result):
    lines = [line for line in result.err.splitlines()
             if line.startswith("restore-table.sh: error: ")]
    assert len(lines) == 1, result.err
    assert "; " in lines[0], "no next step"
    return lines[0]


@pytest.fixture
def errand(tmp_path):
    return Errand(tmp_path)


@pytest.fixture
def ring(monkeypatch):
    """Three nodes of one cluster, with 1, 2 and 3 SSTables of ks.users."""
    store = Store()
    for count, token in enumerate(("100", "-200", "300"), 1):
        monkeypatch.setattr(small_backup, "NODE", f"backup/1049_fake-app/{token}")
        monkeypatch.setattr(small_backup, "TOKEN", token)
        node = small_backup.SmallBackup(store)
        for generation in range(1, count + 1):
            node.add_sstable(generation, f"row {token} {generation} ".encode() * 2000)
        node.seal()
    with FakeS3(store) as server:
        yield source_args(server)


@pytest.fixture
def go(errand, ring):
    source, *options = ring
    return lambda *args, **more: errand.run(source, "ks.users", *args, "--", *options, **more)


ROWS = sorted(f"{token}/nb-{n}-big-Data.db"
              for token, count in (("100", 1), ("-200", 2), ("300", 3))
              for n in range(1, count + 1))


def test_all_nodes_are_loaded_and_counted(errand, go):
    result = go("--host", "10.0.0.1,10.0.0.2", "--port", 9999, "--expect-rows", 6)
    assert result.code == 0, result.err
    assert errand.read()["rows"] == ROWS
    assert "ks.users: 0 rows before, 6 rows after" in result.out
    assert "done: ks.users of 3 backed up node(s) is in ks.users" in result.out
    assert errand.left() == [], "WORK is removed after success"
    loads = errand.calls("sstableloader")
    assert [call[:4] for call in loads] == [["-d", "10.0.0.1,10.0.0.2", "-p", "9999"]] * 3
    assert [pathlib.Path(call[4]).parts[-3:] for call in loads] == [
        (token, "ks", "users") for token in ("-200", "100", "300")]
    counts = [call for call in errand.calls("cqlsh") if "count(*)" in " ".join(call)]
    assert len(counts) == 2
    for call in counts:
        assert call[-2:] == ["10.0.0.1", "9999"] and "--request-timeout=3600" in call
        assert "CONSISTENCY ALL;" in call[2] and 'FROM "ks"."users"' in call[2]


def test_goes_on_where_it_stopped(errand, go):
    errand.change(failing=["300"])
    result = go()
    assert result.code == 75, result.err
    assert "Could not retrieve endpoint ranges" in result.err
    assert "run the same command again" in error(result)
    assert errand.read()["rows"] == [row for row in ROWS if not row.startswith("300")]
    errand.change(failing=[])
    result = go()
    assert result.code == 0, result.err
    assert "penates: already restored" in result.err
    assert "loaded already: ./restore-ks.users/files/100/ks/users" in result.out
    assert "ks.users: 0 rows before, 6 rows after" in result.out, "before the first run, that is"
    assert errand.read()["rows"] == ROWS
    assert len(errand.calls("sstableloader")) == 4, "no node is loaded twice"


def test_interrupted_while_it_loads(errand, ring):
    source, *options = ring
    errand.change(hang=True)
    process = errand.start(source, "ks.users", "--", *options)
    while not (errand.bin / "hanging").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    second = errand.run(source, "ks.users", "--", *options)
    assert second.code == 78 and "another run is at work" in error(second)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 75 and "interrupted" in err
    loader = int((errand.bin / "hanging").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(loader, 0)
    errand.change(hang=False)
    assert errand.run(source, "ks.users", "--", *options).code == 0
    assert errand.read()["rows"] == ROWS


def test_sstables_that_the_loader_leaves_out(errand, go):
    """It says so, and ends with 0."""
    errand.change(skips=["nb-3-big-Data.db"])
    result = go()
    assert result.code == 65 and "left files out" in error(result)
    assert "Skipping file nb-3-big-Data.db because index is missing" in result.err


COUNTS = {
    "no row came": ({"swallows": True}, [], 65, "files came, and no row is there"),
    "none was expected": ({"swallows": True}, ["--expect-rows", 0], 0, None),
    "another number": ({}, ["--expect-rows", 7], 65, "6 rows, expected 7"),
    "no count": ({"swallows": True}, ["--no-count"], 0, None),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(errand, go, name):
    state, args, code, words = COUNTS[name]
    errand.change(**state)
    result = go(*args)
    assert result.code == code, result.err
    if code == 0:
        assert errand.left() == []
    else:
        assert words in error(result)
        assert errand.left() == ["restore-ks.users"], "nothing is removed after a failure"
    assert any("count(*)" in " ".join(call) for call in errand.calls("cqlsh")) != (name == "no count")


def test_fewer_rows_than_before(errand, go):
    errand.change(rows=[f"live/{n}" for n in range(5)], failing=["300"])
    assert go().code == 75
    errand.change(failing=[], rows=[])
    errand.change(rows=["one"], swallows=True)
    result = go()
    assert result.code == 65 and "1 rows after and 5 before" in error(result)


def test_rows_that_were_there(errand, go):
    errand.change(rows=ROWS)
    result = go()
    assert result.code == 0, result.err
    assert "no row is new" in result.out


def test_counter_tables(errand, go):
    errand.change(rows=["live"], flags=["compound", "counter"])
    result = go()
    assert result.code == 78 and "--add-counters" in error(result)
    assert errand.read()["rows"] == ["live"]
    assert go("--add-counters").code == 0
    errand.change(rows=[], failing=["300"])
    assert go().code == 75, "an empty one is loaded"
    errand.change(failing=[])
    assert go().code == 0, "and goes on, with rows of its own by now"
    assert errand.read()["rows"] == ROWS


def test_another_name(errand, go):
    errand.change(tables=["users", "Users_then"])
    result = go("--to", "old.Users_then")
    assert result.code == 0, result.err
    assert "old.Users_then: 0 rows before, 6 rows after" in result.out
    assert [pathlib.Path(call[-1]).parts[-3:] for call in errand.calls("sstableloader")] == [
        (token, "old", "Users_then") for token in ("-200", "100", "300")]
    assert 'FROM "old"."Users_then"' in " ".join(map(str, errand.calls("cqlsh")))


def test_import_of_one_node(errand, ring):
    source, *options = ring
    result = errand.run(source, "ks.users", "--by", "import", "--", *options)
    assert result.code == 64 and "-200" in result.err, "penates asks which"
    result = errand.run(source, "ks.users", "--by=import", "--work", "w", "--keep", "--", *options,
                        "--token", "-200")
    assert result.code == 0, result.err
    assert errand.calls("nodetool") == [["import", "ks", "users", str(errand.folder / "w/files/ks/users")]]
    assert not errand.calls("sstableloader")
    assert "the files are in w/files" in result.out
    assert (errand.folder / "w" / "files" / "ks" / "users" / "nb-2-big-Data.db").exists()


REFUSED = {
    "no keyspace": ({"keyspace": False}, ["--create"], 78, "no such keyspace in the target"),
    "no such table": ({"tables": []}, [], 78, "no such table in the target"),
    "a view": ({"tables": [], "views": {"users": "people"}}, [], 78, "is a materialized view"),
    "import with views": ({"views": {"by_name": "users"}}, ["--by", "import"], 78, "--by loader"),
    "no answer": ({"down": True}, [], 69, "Unable to connect"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_target_is_looked_at_first(errand, go, name):
    state, args, code, words = REFUSED[name]
    errand.change(**state)
    result = go(*args)
    assert result.code == code, result.err
    assert words in error(result)
    assert "penates:" not in result.err, "nothing was fetched"
    assert not errand.calls("sstableloader") and not errand.calls("nodetool")


def test_another_request_in_the_same_work(errand, go):
    errand.change(failing=["300"])
    assert go().code == 75
    result = go("--host", "10.0.0.9")
    assert result.code == 78 and "asked for something else" in error(result)


def test_work_of_somebody_else(errand, go):
    (errand.folder / "mine").mkdir()
    (errand.folder / "mine" / "file").write_text("precious")
    result = go("--work", "mine")
    assert result.code == 78 and "not of an earlier run" in error(result)
    assert (errand.folder / "mine" / "file").read_text() == "precious"


def test_removes_only_its_own(errand, go):
    errand.change(failing=["300"])
    assert go().code == 75
    (errand.folder / "restore-ks.users" / "notes.txt").write_text("precious")
    errand.change(failing=[])
    result = go()
    assert result.code == 0 and "holds something else, too" in result.out
    assert [path.name for path in (errand.folder / "restore-ks.users").iterdir()] == ["notes.txt"]


def test_sample_of_one_node(errand):
    """A directory as the source, and a name in upper case."""
    errand.change(tables=["Users"])
    result = errand.run(DATA / "priam-v2" / "bucket" / "backup", "shop.Users", "--work", "w")
    assert result.code == 0, result.err
    assert [pathlib.Path(call[-1]).parts for call in errand.calls("sstableloader")] == [
        ("w", "files", "shop", "Users")]


def test_create(errand):
    """From the backup's own schema, when it is missing and only then."""
    errand.change(tables=[])
    source = DATA / "priam-v2" / "bucket" / "backup"
    for _ in range(2):
        result = errand.run(source, "shop.Users", "--create")
        assert result.code == 0, result.err
    assert errand.read()["tables"] == ["Users"]
    made = [call for call in errand.calls("cqlsh") if "-f" in call]
    assert len(made) == 1 and made[0][-3:] == ["-f", "./restore-shop.Users/schema.cql", "127.0.0.1"]


def test_no_backup_is_penates_own_failure(errand, go, ring):
    result = go(env={"PENATES_AT": "2001-01-01T00:00:00Z"})
    assert result.code == 66 and "penates: error: " in result.err
    assert not errand.calls("sstableloader")


USAGE = {
    "one argument": ["s"],
    "three": ["s", "a.b", "c"],
    "no table": ["s", "table"],
    "quotes": ["s", 'ks."Users"'],
    "unknown": ["s", "a.b", "--from", "x"],
    "no value": ["s", "a.b", "--to"],
    "by": ["s", "a.b", "--by", "refresh"],
    "port": ["s", "a.b", "--port", "x"],
    "host": ["s", "a.b", "--host", "-u"],
    "count": ["s", "a.b", "--expect-rows", "1", "--no-count"],
    "create": ["s", "a.b", "--create", "--to", "c.d"],
    "own": ["s", "a.b", "--", "--into", "x"],
    "own with =": ["s", "a.b", "--", "--layout=data"],
}


@pytest.mark.parametrize("name", USAGE)
def test_usage(errand, name):
    result = errand.run(*USAGE[name])
    assert result.code == 64 and "see restore-table.sh --help" in error(result)
    assert errand.left() == []


def test_programs_are_looked_for_first(errand):
    result = errand.run("s", "a.b", env={"SSTABLELOADER": "/nowhere/sstableloader -f x"})
    assert result.code == 69 and "/nowhere/sstableloader" in error(result)
    assert errand.left() == []


def test_options_in_variables(errand, go):
    result = go(env={"SSTABLELOADER": "sstableloader -f loader.yaml",
                     "CQLSH": "cqlsh --cqlshrc=/etc/cqlshrc"})
    assert result.code == 0, result.err
    assert all(call[:2] == ["-f", "loader.yaml"] for call in errand.calls("sstableloader"))
    assert all(call[0] == "--cqlshrc=/etc/cqlshrc" for call in errand.calls("cqlsh"))


def test_help(errand):
    result = errand.run("--help")
    assert result.code == 0
    for option in ("--host", "--port", "--by", "--to", "--create", "--work", "--keep",
                   "--expect-rows", "--no-count", "--count-timeout", "--add-counters"):
        assert f"\n  {option} " in result.out, option
    assert "set -euo" not in result.out and max(map(len, result.out.splitlines())) <= 98
