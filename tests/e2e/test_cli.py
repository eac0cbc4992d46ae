"""What scripts rely on: JSON that keeps to its schema, exit codes, pipes, help."""

import json
import os
import pty
import select
import subprocess
import time

import jsonschema
import pytest
from conftest import (BINARY, DATA, ROOT, check_no_secret, environment, expected_tree, penates,
                      points, sha256_tree, source_args)
from fake_s3 import FakeS3, Fault
from small_backup import POINT, SECOND, SmallBackup, snappy, standard

SCHEMAS = ROOT / "deploy" / "schema"


def check_schema(document, name):
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)


def test_list_json(backup_s3):
    result = penates("list", *source_args(backup_s3), "--json")
    assert result.code == 0, result.err
    check_schema(result.json, "list")
    found = result.json["restore_points"]
    assert len(found) == 2
    assert all(point["complete"] for point in found)
    assert found[0]["time"] > found[1]["time"]


def test_list_table(backup_s3):
    result = penates("list", *source_args(backup_s3))
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert lines[0].split() == ["CLUSTER", "TOKEN", "TIME", "KIND", "FILES", "BYTES", "COMPLETE"]
    assert len(lines) == 3


def test_list_says_what_is_missing():
    backup = standard()
    backup.store.delete(backup.key("nb-2-big-Data.db"))
    with FakeS3(backup.store) as server:
        result = penates("list", *source_args(server), "--json")
        assert result.code == 0, result.err
        check_schema(result.json, "list")
        (point,) = result.json["restore_points"]
        assert not point["complete"]
        assert point["missing"] == 1
        assert "nb-2-big-Data.db" in point["missing_first"]


def test_plan_json(backup_s3, tmp_path):
    result = penates("plan", *source_args(backup_s3), "--json")
    assert result.code == 0, result.err
    check_schema(result.json, "plan")
    assert backup_s3.count("get") == 1, "a plan reads the manifest and nothing else"


def test_saved_plan(backup_s3, tmp_path):
    saved = tmp_path / "plan.json"
    result = penates("plan", *source_args(backup_s3), "--out", saved)
    assert result.code == 0, result.err
    check_schema(json.loads(saved.read_text()), "plan")
    result = penates("restore", *source_args(backup_s3), "--plan", saved, "--into",
                     tmp_path / "data")
    assert result.code == 0, result.err
    planned = {file["target"] for file in json.loads(saved.read_text())["files"]}
    assert planned == set(sha256_tree(tmp_path / "data"))


def test_saved_plan_that_no_longer_matches(tmp_path):
    backup = standard()
    with FakeS3(backup.store) as server:
        saved = tmp_path / "plan.json"
        assert penates("plan", *source_args(server), "--out", saved).code == 0
        backup.store.put(backup.key("nb-1-big-Filter.db"), snappy(b"another"))
        result = penates("restore", *source_args(server), "--plan", saved, "--into",
                         tmp_path / "data")
        assert result.code == 78, result.err
        assert not (tmp_path / "data").exists()


def test_restore_json_and_report(backup_s3, tmp_path):
    report = tmp_path / "report.json"
    result = penates("restore", *source_args(backup_s3), "--into", tmp_path / "data", "--json",
                     "--report", report, "--metrics", tmp_path / "penates.prom")
    assert result.code == 0, result.err
    check_schema(result.json, "result")
    full = json.loads(report.read_text())
    check_schema(full, "report")
    kept = json.loads((tmp_path / "data" / ".penates" / "report.json").read_text())
    assert full["files"] == kept["files"]
    status = penates("status", tmp_path / "data", "--json")
    check_schema(status.json, "status")
    metrics = (tmp_path / "penates.prom").read_text()
    assert "penates_" in metrics
    assert metrics.endswith("\n")


@pytest.mark.parametrize("more, indexes, why", [
    ([], {"priam-v1": "rebuilt", "priam-v2": "complete"},
     {"priam-v1": "no secondary indexes", "priam-v2": "all index SSTables are there"}),
    (["--include", "shop.Users"], "rebuild", "that of the target counts"),
    (["--include", "shop.Users", "--layout", "loader"], "rebuilt", "where the files are loaded"),
])
def test_report_says_what_becomes_of_indexes(backup_s3, tmp_path, more, indexes, why):
    args = [*source_args(backup_s3), "--into", tmp_path / "data", "--at", "2026-11-23T07:59:59Z",
            "--snapshot-only", *more]
    if isinstance(indexes, dict):
        indexes, why = indexes[backup_s3.fixture.name], why[backup_s3.fixture.name]
    planned = penates("plan", *args)
    assert planned.code == 0, planned.err
    assert "\nsecondary indexes: " in planned.out
    report = tmp_path / "report.json"
    result = penates("restore", *args, "--json", "--report", report)
    assert result.code == 0, result.err
    assert result.json["indexes"] == indexes
    (node,) = json.loads(report.read_text())["nodes"]
    assert node["indexes"] == indexes
    assert why in node["indexes_why"]
    assert f"({node['indexes_why']})" in result.err
    took = any("IndexInfo-" in name for name in sha256_tree(tmp_path / "data"))
    assert took == (indexes == "complete")


@pytest.mark.parametrize("option", ["--report", "--metrics"])
@pytest.mark.parametrize("command", ["restore", "verify"])
def test_outcome_that_cannot_be_written_is_known_first(backup_s3, tmp_path, command, option):
    target = tmp_path / "data"
    into = ["--into", target] if command == "restore" else []
    seen = len(backup_s3.requests)
    for place in (tmp_path / "absent" / "file", tmp_path):
        result = penates(command, *source_args(backup_s3), *into, option, place)
        assert result.code == 73
        assert f"{place}: " in result.error
    assert not target.exists()
    assert len(backup_s3.requests) == seen


def before_any_source(command, tmp_path):
    """Arguments of a run that fails before it has a source: (arguments, exit code)."""
    into = ["--into", tmp_path / "data"] if command == "restore" else []
    yield [tmp_path / "no-such-mirror", *into], 66
    yield ["s3:///backup", *into], 64
    if command == "restore":
        yield [*into, "--ring", tmp_path / "no-such-ring.json", "--slot", 0], 64


@pytest.mark.parametrize("command", ["restore", "verify"])
def test_outcome_of_the_run_before_does_not_stay(backup_s3, tmp_path, command):
    metrics, report = tmp_path / "penates.prom", tmp_path / "report.json"
    into = ["--into", tmp_path / "good"] if command == "restore" else []
    out = ["--metrics", metrics, "--report", report, "--json"]
    for args, code in before_any_source(command, tmp_path):
        assert penates(command, *source_args(backup_s3), *into, *out).code == 0
        assert f'penates_success{{command="{command}"}} 1\n' in metrics.read_text()
        result = penates(command, *args, *out)
        assert result.code != 0 and result.code == code, result.err
        check_schema(result.json, "result")
        assert result.json["exit"] == code and result.json["error"] in result.error
        text = metrics.read_text()
        assert f'penates_success{{command="{command}"}} 0\n' in text
        assert f'penates_exit_code{{command="{command}"}} {code}\n' in text
        full = json.loads(report.read_text())
        check_schema(full, "report")
        assert full["result"] == "failed"


def test_a_failed_run_tells_the_metrics(backup_s3, tmp_path):
    metrics = tmp_path / "penates.prom"
    assert penates("verify", *source_args(backup_s3), "--metrics", metrics).code == 0
    backup_s3.faults.append(Fault(kind="get", status=403, code="AccessDenied", message="no",
                                  times=None))
    result = penates("verify", *source_args(backup_s3), "--metrics", metrics)
    assert result.code == 77, result.err
    assert 'penates_success{command="verify"} 0\n' in metrics.read_text()
    assert 'penates_exit_code{command="verify"} 77\n' in metrics.read_text()


def test_a_line_of_status_fits_whatever_it_tells(tmp_path):
    """An error as long as a journal keeps one, and a path of what JSON makes six characters of."""
    target = tmp_path / ("\x01" * 200) / ("\x02" * 200) / ("\x03" * 200)
    target.mkdir(parents=True)
    with FakeS3(standard().store) as server:
        server.faults.append(Fault(key="nb-3-big-Data.db", status=403, code="AccessDenied",
                                   message='"\\' * 400, times=None))
        result = penates("restore", *source_args(server), "--into", target)
    assert result.code == 77, result.err
    result = penates("status", target, "--json")
    assert result.code == 0 and len(result.out) <= 2000
    check_schema(result.json, "status")
    assert result.json["state"] == "failed" and result.json["error"]


def test_replace_of_an_unknown_table_is_refused(backup_s3, tmp_path):
    result = penates("restore", *source_args(backup_s3), "--into", tmp_path / "data",
                     "--replace", "shop.order")
    assert result.code == 64
    assert "--replace shop.order: " in result.error
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("options, text", [
    (["--role-arn", "arn:aws:iam::1:role/x"], "--role-arn: role 'arn:aws:iam::1:role/x': not the ARN"),
    (["--role-arn", "arn:aws:iam::123456789012:role/x", "--external-id", "?"],
     "the external id is not one"),
    (["--external-id", "abc"], "--external-id: there is no --role-arn"),
    (["--role-arn", "arn:aws:iam::123456789012:role/x", "--no-sign"], "--no-sign"),
])
def test_bad_roles_are_refused_before_anything_is_asked(backup_s3, options, text):
    seen = len(backup_s3.requests)
    result = penates("list", *source_args(backup_s3), *options)
    assert result.code == 64, result.err
    assert text in result.error
    assert len(backup_s3.requests) == seen


def test_failure_is_json_too(tmp_path):
    backup = standard()
    backup.store.delete(backup.key("nb-2-big-Data.db"))
    with FakeS3(backup.store) as server:
        result = penates("restore", *source_args(server), "--into", tmp_path / "data", "--json")
        assert result.code == 66
        check_schema(result.json, "result")
        assert result.json["exit"] == 66
        assert len(result.out) <= 2000


def test_incomplete_point_only_when_told(tmp_path):
    backup = standard()
    backup.store.delete(backup.key("nb-2-big-Data.db"))
    with FakeS3(backup.store) as server:
        result = penates("restore", *source_args(server), "--into", tmp_path / "data",
                         "--allow-incomplete")
        assert result.code == 0, result.err
        got = sha256_tree(tmp_path / "data")
        assert got
        assert not any("nb-2-big" in name for name in got), "half an SSTable stops Cassandra"
        assert "nb-2-big-Data.db" in (tmp_path / "data" / ".penates" / "report.json").read_text()


def test_nothing_older_is_taken_silently(tmp_path):
    """The newest point is broken, an older one is whole: that is said, not done."""
    from small_backup import NODE, SECOND

    backup = standard()
    later = SECOND + 3_600_000
    broken = backup.manifest().replace(b"nb-3-big-Data.db", b"nb-9-big-Data.db")
    backup.store.put(f"{NODE}/META_V2/{later}/SNAPPY/PLAINTEXT/meta_v2_202311142313.json",
                     snappy(broken))
    with FakeS3(backup.store) as server:
        result = penates("restore", *source_args(server), "--into", tmp_path / "data")
        assert result.code == 66, result.err
        assert "nb-9-big-Data.db" in result.error
        assert "--at" in result.error
        result = penates("restore", *source_args(server), "--into", tmp_path / "data", "--at", POINT)
        assert result.code == 0, result.err


@pytest.mark.parametrize("at, code", [("2023-11-14T22:13:24Z", 66), (POINT, 0), ("202311142214", 0),
                                      ("latest", 0), ("tomorrow", 64), ("20231399", 64)])
def test_at(tmp_path, at, code):
    backup = standard()
    with FakeS3(backup.store) as server:
        result = penates("plan", *source_args(server), "--at", at)
        assert result.code == code, result.err


def test_decode_in_a_pipe():
    plain = os.urandom(300_000)
    done = subprocess.run([BINARY, "decode"], input=snappy(plain), capture_output=True,
                          env=environment(), check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == plain
    done = subprocess.run([BINARY, "decode", "-"], input=snappy(plain)[:-1], capture_output=True,
                          env=environment(), check=False)
    assert done.returncode == 65
    done = subprocess.run([BINARY, "decode", "-"], input=b"no magic here", capture_output=True,
                          env=environment(), check=False)
    assert done.returncode == 65
    assert b"--raw" in done.stderr


def test_decode_to_a_file(tmp_path):
    source, out = tmp_path / "a.snappy", tmp_path / "a"
    source.write_bytes(snappy(b"row " * 100_000))
    assert penates("decode", "-o", out, source).code == 0
    assert out.read_bytes() == b"row " * 100_000
    source.write_bytes(source.read_bytes()[:-3])
    out.write_bytes(b"kept")
    assert penates("decode", "-o", out, source).code == 65
    assert out.read_bytes() == b"kept"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "a.snappy"]


def test_stdout_that_closes():
    """`penates decode FILE | head -c 10` ends quietly."""
    process = subprocess.Popen(f"'{BINARY}' decode | head -c 10", shell=True, env=environment(),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    out, err = process.communicate(snappy(b"0123456789" * 1_000_000))
    assert out == b"0123456789"
    assert err == b""


@pytest.mark.parametrize("command", ["list", "plan", "restore", "verify", "decode", "status",
                                     "policy"])
def test_help_teaches(command):
    result = penates("help", command)
    assert result.code == 0
    assert f"penates {command}" in result.out
    assert result.out == penates(command, "--help").out
    assert max(map(len, result.out.splitlines())) <= 95


def test_version_names_what_is_linked():
    result = penates("--version")
    assert result.code == 0
    for library in ("libcurl", "OpenSSL", "snappy", "libxml2", "yajl"):
        assert library.lower() in result.out.lower()


def test_verify_a_sample(backup_s3):
    whole = penates("verify", *source_args(backup_s3), "--json")
    part = penates("verify", *source_args(backup_s3), "--sample", "20%", "--seed", "7", "--json")
    again = penates("verify", *source_args(backup_s3), "--sample", "20%", "--seed", "7", "--json")
    assert whole.code == part.code == again.code == 0
    assert 0 < part.json["files"] < whole.json["files"]
    assert part.json["fetched_bytes"] == again.json["fetched_bytes"]


def test_plain_lines_in_a_pipe(backup_s3, tmp_path):
    result = penates("restore", *source_args(backup_s3), "--into", tmp_path / "data")
    assert "\r" not in result.err
    assert "\x1b" not in result.err
    assert result.out == ""


def test_progress_on_a_terminal(tmp_path):
    """One line that is rewritten: bytes, rate, what is left, files, retries."""
    backup = SmallBackup()
    for generation in range(1, 30):
        backup.add_sstable(generation, os.urandom(200_000))
    backup.seal()
    with FakeS3(backup.store, latency=0.05) as server:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [BINARY, "restore", *source_args(server), "--into", str(tmp_path / "data"),
             "--connections", "4"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=theirs, env=environment(TERM="xterm"))
        os.close(theirs)
        seen = b""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            ready, _, _ = select.select([ours], [], [], 0.2)
            try:
                piece = os.read(ours, 65536) if ready else b""
            except OSError:
                break
            seen += piece
            if not piece and process.poll() is not None:
                break
        os.close(ours)
        assert process.wait(10) == 0
        text = seen.decode(errors="replace")
        check_no_secret(text)
        lines = [line for line in text.split("\r") if "/s" in line and "%" in line]
        assert len(lines) > 2, text


def test_environment_and_config_file(backup_s3, tmp_path):
    config = tmp_path / "penates.conf"
    config.write_text("# the drill\ninclude = shop.orders\nmemory = 128M\n")
    result = penates("restore", *source_args(backup_s3), "--config", config,
                     env={"PENATES_INTO": str(tmp_path / "data")})
    assert result.code == 0, result.err
    wanted = expected_tree(backup_s3.fixture, "p3")
    assert set(sha256_tree(tmp_path / "data")) == {
        name for name in wanted if name.startswith("shop/orders-")}
    result = penates("plan", *source_args(backup_s3), env={"PENATES_MEMORY": "lots"})
    assert result.code == 64
    assert "PENATES_MEMORY" in result.error


def test_priam_properties(backup_s3, tmp_path):
    fixture = backup_s3.fixture
    properties = tmp_path / "Priam.properties"
    cluster = "fix_" + fixture.name[-2:]
    properties.write_text(
        f"priam.s3.bucket={backup_s3.bucket}\npriam.s3.base_dir=backup\n"
        f"priam.clustername={cluster}\npriam.restore.snapshot={points(fixture)['p1']}\n"
        f"priam.data.location={tmp_path}/data\n")
    result = penates("restore", "--priam-properties", properties, "--endpoint", backup_s3.endpoint,
                     "--path-style")
    assert result.code == 0, result.err
    wanted = {n for n in expected_tree(fixture, "p1") if not n.startswith("system/IndexInfo-")}
    got = {n for n in sha256_tree(tmp_path / "data") if not n.startswith("system/IndexInfo-")}
    assert got == wanted


def two_nodes():
    """The standard node, and -42 with the same files."""
    backup = standard()
    for key, thing in list(backup.store.objects.items()):
        other = key.replace("/1808575600/", "/-42/")
        data = thing.body.data
        if "META_V2" in key:
            data = snappy(backup.manifest().replace(b"/1808575600/", b"/-42/"))
        backup.store.put(other, data)
    return backup


def add_incremental(backup, token, generation, ms):
    for name in ("Data.db", "Index.db", "Statistics.db", "CompressionInfo.db", "TOC.txt"):
        key = backup.key(f"nb-{generation}-big-{name}", ms=ms)
        data = b"Data.db\nIndex.db\nStatistics.db\nCompressionInfo.db\nTOC.txt\n"
        backup.store.put(key.replace("/1808575600/", f"/{token}/"), snappy(data))


def test_saved_plan_of_several_nodes(tmp_path):
    """Each node keeps its own end: one that was behind takes nothing that came since."""
    backup = two_nodes()
    add_incremental(backup, "-42", 50, SECOND + 3_600_000)
    nodes = ("--token", "all", "--layout", "loader")
    with FakeS3(backup.store) as server:
        saved = tmp_path / "plan.json"
        assert penates("plan", *source_args(server), *nodes, "--out", saved).code == 0
        plan = json.loads(saved.read_text())
        assert len({node["until"] for node in plan["nodes"]}) == 2
        assert plan["states"] == {"oldest": "2023-11-14T22:13:25Z", "newest": "2023-11-14T23:13:20Z"}
        add_incremental(backup, "1808575600", 51, SECOND + 1_800_000)
        result = penates("restore", *source_args(server), "--plan", saved, "--into",
                         tmp_path / "x")
        assert result.code == 0, result.err
        assert ("states of 2 nodes: the oldest of 2023-11-14T22:13:25Z, the newest of "
                "2023-11-14T23:13:20Z, 3595 s later") in result.err
        assert set(sha256_tree(tmp_path / "x")) == {file["target"] for file in plan["files"]}


def test_rerun_of_several_nodes(tmp_path):
    backup = two_nodes()
    add_incremental(backup, "-42", 50, SECOND + 3_600_000)
    with FakeS3(backup.store) as server:
        args = ["restore", *source_args(server), "--token", "all", "--layout", "loader",
                "--into", tmp_path / "x", "--retry-for", "1s"]
        server.faults.append(Fault(key="nb-1-big-Filter.db", status=500, times=None))
        assert penates(*args).code == 69
        server.faults.clear()
        add_incremental(backup, "1808575600", 51, SECOND + 1_800_000)
        result = penates(*args)
        assert result.code == 0, result.err
        assert not [name for name in sha256_tree(tmp_path / "x") if "nb-51-" in name]


def test_several_nodes_in_loader_layout(tmp_path):
    """Every node of a cluster, each below its token."""
    backup = two_nodes()
    with FakeS3(backup.store) as server:
        several = penates("restore", *source_args(server), "--into", tmp_path / "x")
        assert several.code == 64, several.err
        assert "-42" in several.error
        merged = penates("restore", *source_args(server), "--into", tmp_path / "x", "--token", "all")
        assert merged.code == 78, merged.err
        result = penates("restore", *source_args(server), "--into", tmp_path / "x", "--token",
                         "all", "--layout", "loader")
        assert result.code == 0, result.err
        got = sha256_tree(tmp_path / "x")
        assert {name.split("/")[0] for name in got} == {"-42", "1808575600"}
        assert all(name.split("/")[1:3] == ["ks", "users"] for name in got)


def test_several_data_directories(backup_s3, tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    result = penates("restore", *source_args(backup_s3), "--into", a, "--into", b)
    assert result.code == 0, result.err
    got_a, got_b = sha256_tree(a), sha256_tree(b)
    assert got_a and got_b
    assert not set(got_a) & set(got_b)
    wanted = expected_tree(backup_s3.fixture, "p3")
    got = {**got_a, **got_b}
    assert all(got[name] == wanted[name] for name in set(got) & set(wanted))
    together = {name.rsplit("-", 1)[0] for name in got_a} & {n.rsplit("-", 1)[0] for n in got_b}
    assert not {p for p in together if "-big" in p}, "one SSTable is split over directories"


def test_replace_keeps_what_was_there(backup_s3, tmp_path):
    target = tmp_path / "data"
    wanted = expected_tree(backup_s3.fixture, "p3")
    table = next(name for name in wanted if name.startswith("shop/orders-")).rsplit("/", 1)[0]
    (target / table).mkdir(parents=True)
    (target / table / "me-77-big-Data.db").write_bytes(b"old rows")
    (target / "other" / "t-1").mkdir(parents=True)
    (target / "other" / "t-1" / "x.db").write_bytes(b"not ours")
    args = ["restore", *source_args(backup_s3), "--include", "shop.orders", "--into", target]
    assert penates(*args).code == 78
    result = penates(*args, "--replace", "shop.orders")
    assert result.code == 0, result.err
    got = sha256_tree(target)
    assert got.pop("other/t-1/x.db")
    assert got == {n: d for n, d in wanted.items() if n.startswith("shop/orders-")}
    kept = list((target / ".penates" / "replaced").rglob("me-77-big-Data.db"))
    assert [path.read_bytes() for path in kept] == [b"old rows"]


def test_directory_and_bucket_make_the_same_plan(backup, tmp_path):
    """But for ETags, which a directory does not have."""
    from fake_s3 import tree_store

    with FakeS3(tree_store(backup)) as server:
        remote = penates("plan", *source_args(server), "--out", tmp_path / "s3.json")
        assert remote.code == 0, remote.err
    local = penates("plan", DATA / backup.name / "bucket" / "backup", "--out", tmp_path / "d.json")
    assert local.code == 0, local.err
    a, b = (json.loads((tmp_path / n).read_text())["files"] for n in ("s3.json", "d.json"))
    assert [f["target"] for f in a] == [f["target"] for f in b]


def test_endpoint_from_the_environment(backup_s3, tmp_path):
    """As the AWS CLI: the service's own variable before the general one."""
    source = [f"s3://{backup_s3.bucket}/backup", "--path-style"]
    nowhere = "http://127.0.0.1:9"
    for variables in ({"AWS_ENDPOINT_URL": backup_s3.endpoint},
                      {"AWS_ENDPOINT_URL": nowhere, "AWS_ENDPOINT_URL_S3": backup_s3.endpoint}):
        result = penates("list", *source, env=variables)
        assert result.code == 0, result.err
    result = penates("list", *source, "--endpoint", backup_s3.endpoint,
                     env={"AWS_ENDPOINT_URL": nowhere})
    assert result.code == 0, result.err
