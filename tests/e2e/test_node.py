"""What a restore does for the node around the data."""

import ctypes
import json
import os
import re
import subprocess

import pytest
import yaml
from conftest import BINARY, environment, finish, penates, source_args
from fake_s3 import FakeS3, Fault
from small_backup import TOKEN, SmallBackup, standard
from test_cli import check_schema, two_nodes

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
LINES = {"initial_token": int(TOKEN), "num_tokens": 1, "auto_bootstrap": False}
YAML = """# Cassandra storage config YAML
cluster_name: 'Test Cluster'

num_tokens: 16   # the default

# initial_token allows you to specify tokens manually.
# initial_token:
hints_directory: {hints}
seed_provider:
    - class_name: org.apache.cassandra.locator.SimpleSeedProvider
      parameters:
          - seeds: "127.0.0.1:7000"
"""


@pytest.fixture(scope="module")
def small():
    with FakeS3(standard().store) as server:
        yield server


@pytest.mark.parametrize("command", ["plan", "restore", "verify"])
def test_a_version_that_cannot_read_the_files_is_refused(small, tmp_path, command):
    into = ["--into", tmp_path / "data"] if command == "restore" else []
    result = penates(command, *source_args(small), *into, "--cassandra-version", "3.11")
    assert result.code == 78, result.err
    assert "nb-1-big-Data.db': Cassandra 3.11 cannot read it: format 'nb'" in result.error
    assert "4.0 to 5.0" in result.error
    assert not (tmp_path / "data").exists()
    if command == "plan":
        assert "ks.users" in result.out  # shown all the same


@pytest.mark.parametrize("version", ["4", "4.1.10", "5.0"])
def test_a_version_that_reads_the_files_restores(small, tmp_path, version):
    result = penates("restore", *source_args(small), "--into", tmp_path / "data",
                     "--cassandra-version", version)
    assert result.code == 0, result.err
    assert "warn" not in result.err


def test_conditions_of_a_version_are_warnings():
    backup = SmallBackup()
    for name in ("Data.db", "Index.db", "TOC.txt"):
        backup.add("oa-1-big-" + name, b"Data.db\nIndex.db\nTOC.txt\n")
    with FakeS3(backup.seal()) as server:
        plan = penates("plan", *source_args(server), "--cassandra-version", "5.0", "--json")
        assert plan.code == 0, plan.err
        (warning,) = [w["why"] for w in plan.json["warnings"] if w["subject"] == "Cassandra 5.0"]
        assert "storage_compatibility_mode" in warning
        unknown = penates("plan", *source_args(server), "--cassandra-version", "6.0", "--json")
        assert unknown.code == 0, unknown.err
        assert any("newer than what is known" in w["why"] for w in unknown.json["warnings"])


def test_a_version_that_is_none_is_a_usage_error(small):
    result = penates("plan", *source_args(small), "--cassandra-version", "4.1-rc1")
    assert result.code == 64
    assert "--cassandra-version: '4.1-rc1'" in result.error


@pytest.fixture
def node(tmp_path):
    """A node that ran once: folders beside its data, and a cassandra.yaml."""
    home = tmp_path / "cassandra"
    for name in ("data", "commitlog", "hints", "saved_caches"):
        (home / name).mkdir(parents=True)
    (home / "conf").mkdir()
    (home / "conf" / "cassandra.yaml").write_text(YAML.replace("{hints}", str(home / "hints")))
    return home


def soil(node):
    (node / "commitlog" / "CommitLog-7-1700000000000.log").write_bytes(bytes(4096))
    (node / "commitlog" / "CommitLog-7-1700000000001.log").write_bytes(b"old")
    (node / "hints" / "5a1c395e-1700000000000-2.hints").write_bytes(b"hint")
    (node / "saved_caches" / "KeyCache-e.db").write_bytes(b"cache")
    return {path.name for path in node.glob("*/*") if path.is_file() and path.suffix != ".yaml"}


def held_to_modes():
    """For preexec_fn: root, too, may only do what the modes of files say."""
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def restore(server, node, *args, **options):
    return penates("restore", *source_args(server), "--into", node / "data", *args, **options)


def test_stale_files_are_refused_and_named(small, node):
    names = soil(node)
    for command in ("plan", "restore"):
        result = penates(command, *source_args(small), "--into", node / "data")
        assert result.code == 78, result.err
        assert f"2 files (4.0 KiB) in '{node}/commitlog'" in result.error
        assert f"1 file (4 B) in '{node}/hints'" in result.error
        assert f"1 file (5 B) in '{node}/saved_caches'" in result.error
        assert "--set-aside-stale" in result.error
    assert not any((node / "data").iterdir())
    assert {path.name for path in node.glob("*/*") if path.suffix != ".yaml"} == names


def test_stale_files_are_set_aside(small, node, tmp_path):
    names = soil(node)
    (node / "hints" / ".keep").touch()
    (node / "commitlog" / "folder").mkdir()
    outside = tmp_path / "outside.log"
    outside.write_bytes(b"not ours")
    (node / "commitlog" / "CommitLog-7-1.log").symlink_to(outside)
    planned = penates("plan", *source_args(small), "--into", node / "data", "--set-aside-stale")
    assert planned.code == 0, planned.err
    assert f"2 files (4.0 KiB) in '{node}/commitlog'" in planned.err
    assert (node / "commitlog" / "CommitLog-7-1700000000001.log").exists()
    report = tmp_path / "report.json"
    result = restore(small, node, "--set-aside-stale", "--report", report)
    assert result.code == 0, result.err
    check_schema(json.loads(report.read_text()), "report")
    moved = json.loads(report.read_text())["set_aside"]
    assert [os.path.basename(entry["folder"]) for entry in moved] == ["commitlog", "hints",
                                                                      "saved_caches"]
    assert [entry["files"] for entry in moved] == [2, 1, 1]
    for entry in moved:
        assert re.fullmatch(r"penates-set-aside-\d{8}T\d{6}Z", os.path.basename(entry["to"]))
        assert os.path.dirname(entry["to"]) == entry["folder"]
        assert entry["to"] in result.err
    assert {name for entry in moved for name in os.listdir(entry["to"])} == names
    assert (node / "commitlog" / "CommitLog-7-1.log").is_symlink()
    assert outside.read_bytes() == b"not ours"
    assert (node / "hints" / ".keep").exists()
    assert (node / "commitlog" / "folder").is_dir()
    again = restore(small, node)
    assert again.code == 0, again.err  # restored already: what lies there now is the node's own


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_folder_that_cannot_be_looked_into_stops_before_a_byte(small, node, mode):
    """By its names alone (r--) nobody knows a file from a folder."""
    soil(node)
    for path in (node / "hints", node / "saved_caches"):
        for file in path.iterdir():
            file.unlink()
    (node / "commitlog").chmod(mode)
    result = restore(small, node, preexec_fn=held_to_modes)
    (node / "commitlog").chmod(0o755)
    assert result.code == 73, result.err
    assert f"cannot look into '{node}/commitlog': Permission denied" in result.error
    assert not any((node / "data").iterdir())


def test_a_run_that_fails_goes_on_after_files_were_set_aside(node):
    names = soil(node)
    store = standard().store
    # One object of 16: the first byte that the preflight reads is of another.
    with FakeS3(store) as server:
        server.faults.append(Fault(key="nb-2-big-Data", times=None, status=403,
                                   code="AccessDenied"))
        first = restore(server, node, "--set-aside-stale")
        assert first.code == 77, first.err
        assert "set aside: 2 files" in first.err
    assert not (node / "data" / ".penates" / "restored").exists()
    (node / "hints" / "new.hints").write_bytes(b"more")
    with FakeS3(store) as server:
        refused = restore(server, node)
        assert refused.code == 78, refused.err
        second = restore(server, node, "--set-aside-stale")
        assert second.code == 0, second.err
    aside = [path for path in node.glob("*/penates-set-aside-*/*") if path.is_file()]
    assert {path.name for path in aside} == names | {"new.hints"}


def test_stale_files_of_a_node_that_lives_are_a_warning(small, node):
    soil(node)
    table = node / "data" / "ks" / "users-5a1c395eb41f11e6bb4d2d6e00000000"
    table.mkdir(parents=True)
    (table / "nb-9-big-Data.db").write_bytes(b"old")
    moving = restore(small, node, "--replace", "ks.users", "--set-aside-stale")
    assert moving.code == 78, moving.err
    assert "a node that lives" in moving.error
    result = restore(small, node, "--replace", "ks.users")
    assert result.code == 0, result.err
    assert "nodetool drain" in result.err
    assert (node / "hints" / "5a1c395e-1700000000000-2.hints").exists()


def test_stale_files_of_a_node_that_gets_a_table_are_its_own(small, node):
    names = soil(node)
    (node / "data" / "ks" / "users2-5a1c395eb41f11e6bb4d2d6e00000001").mkdir(parents=True)
    moving = restore(small, node, "--include", "ks.users", "--as", "ks.users2", "--set-aside-stale")
    assert moving.code == 78, moving.err
    result = restore(small, node, "--include", "ks.users", "--as", "ks.users2")
    assert result.code == 0, result.err
    assert "drain" not in result.err
    assert names <= {path.name for path in node.glob("*/*") if path.is_file()}


def test_stale_files_are_looked_for_where_cassandra_yaml_says(small, node, tmp_path):
    conf = node / "conf" / "cassandra.yaml"
    other = tmp_path / "other-hints"
    other.mkdir()
    (other / "1.hints").write_bytes(b"hint")
    conf.write_text(YAML.replace("{hints}", str(other)))
    (node / "hints" / "unused.hints").write_bytes(b"nobody reads it")
    (node / "commitlog" / "CommitLog-7-1.log").write_bytes(b"the default place")
    before = conf.read_bytes()
    result = restore(small, node, "--apply-yaml", conf)
    assert result.code == 78
    assert f"'{other}'" in result.error and f"'{node}/commitlog'" in result.error
    assert f"'{node}/hints'" not in result.error
    assert conf.read_bytes() == before


def test_data_behind_a_symlink_has_two_neighbourhoods(small, node, tmp_path):
    far = tmp_path / "far"
    (far / "data").mkdir(parents=True)
    (far / "commitlog").mkdir()
    (far / "commitlog" / "CommitLog-7-1.log").write_bytes(b"old")
    (node / "hints" / "1.hints").write_bytes(b"hint")
    (node / "data").rmdir()
    (node / "data").symlink_to(far / "data")
    result = restore(small, node)
    assert result.code == 78
    assert f"'{far}/commitlog'" in result.error and f"'{node}/hints'" in result.error


def test_plan_shows_what_cassandra_yaml_needs(small):
    shown = penates("plan", *source_args(small))
    assert shown.code == 0, shown.err
    lines = shown.out[shown.out.index(f"cassandra.yaml of node {TOKEN}:"):].splitlines()[1:4]
    assert yaml.safe_load("\n".join(lines)) == LINES
    document = penates("plan", *source_args(small), "--json").json
    check_schema(document, "plan")
    assert document["nodes"][0]["cassandra_yaml"] == {
        "initial_token": TOKEN, "num_tokens": "1", "auto_bootstrap": "false"}


def test_plan_shows_the_lines_of_each_node(node):
    with FakeS3(two_nodes().store) as server:
        args = (*source_args(server), "--token", "all", "--layout", "loader")
        shown = penates("plan", *args)
        assert shown.code == 0, shown.err
        for token in (TOKEN, "-42"):
            assert f"cassandra.yaml of node {token}:\n  initial_token: {token}\n" in shown.out
        nodes = penates("plan", *args, "--json").json["nodes"]
        assert {entry["cassandra_yaml"]["initial_token"] for entry in nodes} == {TOKEN, "-42"}


def test_apply_yaml(small, node, tmp_path):
    conf = node / "conf" / "cassandra.yaml"
    before = conf.read_bytes()
    conf.chmod(0o604)
    report = tmp_path / "report.json"
    result = restore(small, node, "--apply-yaml", conf, "--report", report)
    assert result.code == 0, result.err
    after = conf.read_text()
    assert yaml.safe_load(after) == {**yaml.safe_load(before), **LINES}
    assert after == before.decode().replace(
        "num_tokens: 16   #", "num_tokens: 1   #").replace(
        "# initial_token:\n", f"# initial_token:\ninitial_token: {TOKEN}\n") \
        + "auto_bootstrap: false\n"
    assert conf.stat().st_mode & 0o7777 == 0o604
    kept = node / "conf" / "cassandra.yaml.before-penates"
    assert kept.read_bytes() == before
    assert kept.stat().st_mode & 0o7777 == 0o604
    document = json.loads(report.read_text())
    check_schema(document, "report")
    assert document["apply_yaml"] == {"file": str(conf), "changed": True, "original": str(kept)}
    assert sorted(os.listdir(node / "conf")) == ["cassandra.yaml", "cassandra.yaml.before-penates"]
    stored = json.loads((node / "data" / ".penates" / "report.json").read_text())
    assert stored["apply_yaml"]["changed"]

    # Again: nothing is written. And the first original stays when the file is changed once more.
    status = conf.stat()
    again = restore(small, node, "--apply-yaml", conf)
    assert again.code == 0, again.err
    assert "has the node's token already" in again.err
    assert (conf.stat().st_ino, conf.stat().st_mtime_ns) == (status.st_ino, status.st_mtime_ns)
    conf.write_text(after.replace("num_tokens: 1 ", "num_tokens: 8 "))
    third = restore(small, node, "--apply-yaml", conf)
    assert third.code == 0, third.err
    assert conf.read_text() == after
    assert kept.read_bytes() == before

    # And back.
    os.rename(kept, conf)
    assert conf.read_bytes() == before


def test_apply_yaml_after_a_crash_in_the_middle_of_it(small, node):
    """Half of the new file was written, the original has its second name already."""
    conf = node / "conf" / "cassandra.yaml"
    before = conf.read_bytes()
    os.link(conf, f"{conf}.before-penates")
    (conf.parent / ".cassandra.yaml.penates-new").write_bytes(before[:20])
    result = restore(small, node, "--apply-yaml", conf)
    assert result.code == 0, result.err
    assert yaml.safe_load(conf.read_text()) == {**yaml.safe_load(before), **LINES}
    assert (conf.parent / "cassandra.yaml.before-penates").read_bytes() == before
    assert sorted(os.listdir(conf.parent)) == ["cassandra.yaml", "cassandra.yaml.before-penates"]


def test_apply_yaml_after_a_restore_without_it(small, node):
    conf = node / "conf" / "cassandra.yaml"
    assert restore(small, node).code == 0
    assert "initial_token: 1" not in conf.read_text()
    late = restore(small, node, "--apply-yaml", conf)
    assert late.code == 0, late.err
    assert "already restored" in late.err
    loaded = yaml.safe_load(conf.read_text())
    assert {key: loaded[key] for key in LINES} == LINES


def test_apply_yaml_edits_what_a_symlink_points_to(small, node, tmp_path):
    link = tmp_path / "cassandra.yaml"
    link.symlink_to(node / "conf" / "cassandra.yaml")
    result = restore(small, node, "--apply-yaml", link)
    assert result.code == 0, result.err
    assert link.is_symlink()
    assert yaml.safe_load((node / "conf" / "cassandra.yaml").read_text())["num_tokens"] == 1


@pytest.mark.parametrize("text, why", [
    ("- a\n", "not a mapping"),
    ("a: [1\n", "line "),
    ("num_tokens: 1\nnum_tokens: 2\n", "is there 2 times"),
    ("initial_token: [1, 2]\n", "not a plain one"),
    ("", "no keys"),
])
def test_a_cassandra_yaml_that_cannot_be_edited_stops_before_a_byte(small, node, text, why):
    conf = node / "conf" / "cassandra.yaml"
    conf.write_text(text)
    result = restore(small, node, "--apply-yaml", conf)
    assert result.code == 64, result.err
    assert why in result.error and str(conf) in result.error
    assert not any((node / "data").iterdir())
    assert conf.read_text() == text


def test_a_cassandra_yaml_that_is_not_there_stops_before_a_byte(small, node):
    result = restore(small, node, "--apply-yaml", node / "conf" / "cassandra.yml")
    assert result.code == 64
    assert "cassandra.yml" in result.error
    assert not any((node / "data").iterdir())


def test_a_folder_of_cassandra_yaml_that_may_not_be_written_to_stops_before_a_byte(small, node):
    (node / "conf").chmod(0o555)
    result = restore(small, node, "--apply-yaml", node / "conf" / "cassandra.yaml",
                     preexec_fn=held_to_modes)
    (node / "conf").chmod(0o755)
    assert result.code == 73
    assert not any((node / "data").iterdir())


def test_a_cassandra_yaml_that_is_a_mount_stops_before_a_byte(small, node, tmp_path):
    """As a container gets a file of its host."""
    conf, mounted = node / "conf" / "cassandra.yaml", tmp_path / "of-the-host.yaml"
    mounted.write_bytes(conf.read_bytes())
    own = ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*own, "mount", "--bind", mounted, conf], stderr=subprocess.DEVNULL,
                      check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    args = ["restore", *source_args(small), "--into", node / "data", "--apply-yaml", conf]
    process = subprocess.Popen(
        [*own, "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"',
         mounted, conf, BINARY, *map(str, args)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    result = finish(process)
    assert result.code == 73, result.err
    assert f"'{conf}': is a mount of its own" in result.error
    assert not any((node / "data").iterdir())
    assert os.listdir(node / "conf") == ["cassandra.yaml"]


def test_an_immutable_cassandra_yaml_stops_before_a_byte(small, node):
    conf = node / "conf" / "cassandra.yaml"
    if subprocess.run(["chattr", "+i", conf], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        pytest.skip("chattr is not allowed here")
    try:
        result = restore(small, node, "--apply-yaml", conf)
    finally:
        subprocess.run(["chattr", "-i", conf], check=True)
    assert result.code == 73, result.err
    assert f"'{conf}': immutable" in result.error
    assert not any((node / "data").iterdir())


def test_a_cassandra_yaml_that_fails_at_the_end_leaves_nothing_behind(small, node):
    """The data is in place then: the same command with a file that can be replaced goes on."""
    conf = node / "conf" / "cassandra.yaml"
    before = conf.read_bytes()
    long = conf.rename(conf.with_name("x" * (255 - len(".before-penates") + 1)))
    result = restore(small, node, "--apply-yaml", long)
    assert result.code == 74, result.err
    assert "keeping the original of" in result.error
    assert os.listdir(node / "conf") == [long.name]
    assert long.read_bytes() == before
    assert penates("status", node / "data", "--json").json["state"] == "failed"
    long.rename(conf)
    gets = small.count("get")
    result = restore(small, node, "--apply-yaml", conf, "--json")
    assert result.code == 0, result.err
    assert result.json["files_earlier"] == result.json["files"] == 15
    assert small.count("get") - gets <= 2, "the manifest and the byte that proves the right to read"
    assert yaml.safe_load(conf.read_text())["num_tokens"] == 1


@pytest.mark.parametrize("option", [["--apply-yaml", "x.yaml"], ["--set-aside-stale"]])
def test_a_loader_layout_has_no_node(small, node, option):
    result = restore(small, node, "--layout", "loader", *option)
    assert result.code == 64
    assert option[0] in result.error
