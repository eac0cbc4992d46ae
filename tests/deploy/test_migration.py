"""migration.md: its export of Priam's identities with the real AWS CLI, where that is at hand, against a
SimpleDB of our own, up to the plan of the ring; and what else of it can go stale."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT = (ROOT / "deploy/docs/migration.md").read_text()
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "deploy")]

from fake_s3 import FakeS3  # noqa: E402
from fake_simpledb import FakeSimpleDB  # noqa: E402
from small_backup import CLUSTER  # noqa: E402
from test_ring import RACKS, TOKENS, nodes, plan_of  # noqa: E402

CLOUD_PYTHON = os.environ.get("PENATES_CLOUD_PYTHON")
AWS = CLOUD_PYTHON and pathlib.Path(CLOUD_PYTHON).with_name("aws")
needs_aws = pytest.mark.skipif(not AWS or not AWS.exists(),
                               reason="there is no AWS CLI beside PENATES_CLOUD_PYTHON")


def item(app, number, token, zone, **more):
    """As Priam writes one."""
    return {"appId": app, "id": str(number), "instanceId": f"i-{number:017x}", "token": token,
            "availabilityZone": zone, "elasticIP": f"10.0.0.{number % 250}", "hostname": f"h{number}",
            "location": "us-east-1", "updateTimestamp": "1700000000000", **more}


def identities():
    """Three alive, with racks that the manifests do not say; one dead, one new, one of others."""
    items = {f"{CLUSTER}_us-east-1_{k}": item(CLUSTER, 1808575600 + k, token, f"us-east-1{'def'[k]}")
             for k, token in enumerate(TOKENS)}
    items[f"{CLUSTER}_us-east-1_9"] = item(CLUSTER, 1808575609, "42", "us-east-1d",
                                           instanceId="new_slot")
    items[f"{CLUSTER}-dead_us-east-1_1"] = item(f"{CLUSTER}-dead", 1808575601, "7", "us-east-1e")
    items["other_us-east-1_0"] = item("other", 1808575600, TOKENS[0], "us-east-1a")
    return items


def commands():
    (block,) = re.findall(r"```sh\n(.*?)```", TEXT, re.S)
    return block.replace("CLUSTER", CLUSTER)


@needs_aws
def test_from_simpledb_to_the_plan_of_a_ring(tmp_path):
    with FakeSimpleDB(identities()) as simpledb, FakeS3(nodes().store) as s3:
        script = commands().replace("aws sdb select", f"aws --endpoint-url {simpledb.endpoint} sdb select")
        environment = {"PATH": f"{AWS.parent}:/usr/bin:/bin", "HOME": str(tmp_path),
                       "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
        result = subprocess.run(["/bin/sh", "-eu", "-c", script], cwd=tmp_path, env=environment,
                                capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        assert len(simpledb.asked) == 2, "two pages"
        assert all(query["ConsistentRead"] == "true" for query in simpledb.asked)
        _, plan = plan_of(s3, "--cluster", CLUSTER, "--identities", tmp_path / "identities.json")
    assert [slot["rack"] for slot in plan["slots"]] == ["us-east-1d", "us-east-1e", "us-east-1f"]
    assert {left["token"] for left in plan["left_out"]} == {"42"}
    assert RACKS != [slot["rack"] for slot in plan["slots"]]


@needs_aws
def test_the_preview_has_to_be_switched_on(tmp_path):
    result = subprocess.run([AWS, "sdb", "select", "--region", "us-east-1", "--select-expression", "x"],
                            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, capture_output=True,
                            text=True, check=False)
    assert result.returncode != 0 and "preview.sdb true" in result.stderr


def test_the_properties_are_those_that_are_read():
    source = (ROOT / "agent/priam_properties.c").read_text()
    read = set(re.findall(r'"(priam\.[\w.]+)"', source))
    table = TEXT.split("| property |")[1].split("\n\n")[0].replace("`.exclude`",
                                                                   "`priam.restore.cf.exclude`")
    first = "\n".join(row.split("|")[1] for row in table.splitlines()[1:] if row.startswith("|"))
    assert set(re.findall(r"`(priam\.[\w.]+)`", first)) == read


@pytest.mark.parametrize("page", sorted((ROOT / "deploy/docs").glob("*.md")), ids=lambda page: page.name)
def test_what_a_page_names_is_there(page):
    """Units and documents (commands, options and links: test_docs.py); short lines for a terminal."""
    text = page.read_text()
    for name in re.findall(r"`(Penates-\w+)`", text):
        assert name == "Penates-*" or (ROOT / f"deploy/ssm/{name}.yaml").exists(), name
    for unit in re.findall(r"\b((?:penates|cassandra-data)[\w-]*\.(?:service|timer))\b", text):
        assert (ROOT / "deploy/systemd" / unit).exists(), unit
    prose = re.sub(r"```.*?```", "", text, flags=re.S)
    assert max(len(line) for line in prose.splitlines() if not line.startswith("|")) <= 112


def test_examples_of_json_are_json():
    for page in (ROOT / "deploy/docs").glob("*.md"):
        for block in re.findall(r"```json\n(.*?)```", page.read_text(), re.S):
            json.loads(block)
