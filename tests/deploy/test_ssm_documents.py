"""The SSM documents, without running them: strict rules of their own, AWS's rules as cfn-lint and moto
have them, shellcheck, and the runbook's counting against answers of SSM's shape."""

import ast
import json
import os
import pathlib
import re
import subprocess
import sys
import types

import botocore.session
import botocore.validate
import pytest
import ssm_agent
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "ssm"
COMMANDS = ["Penates-Cancel", "Penates-Plan", "Penates-Run", "Penates-Status", "Penates-Table"]
CLOUD_PYTHON = os.environ.get("PENATES_CLOUD_PYTHON")
needs_cloud = pytest.mark.skipif(CLOUD_PYTHON is None, reason="PENATES_CLOUD_PYTHON names no python "
                                 "with the packages of tests/deploy/cloudformation.txt")
TIMEOUT = range(5, 172800 + 1)
SCRIPT = re.compile(r'(if \[ -z "\$\{SSM_(\w+)\+x\}" \]; then export SSM_\2="\{\{ \2 \}\}"; fi\n)*'
                    r'exec /usr/lib/penates/ssm (\w+|"\$SSM_What")\n')
ACTIONS = {"aws:executeAwsApi", "aws:runCommand", "aws:executeScript", "aws:branch", "aws:approve"}


def text(name):
    return (FOLDER / f"{name}.yaml").read_text()


DOCUMENTS = {name: yaml.safe_load(text(name)) for name in [*COMMANDS, "Penates-Ring"]}
RING = DOCUMENTS["Penates-Ring"]
STEPS = {step["name"]: step for step in RING["mainSteps"]}
COUNTS = [name for name, step in STEPS.items()
          if step["inputs"].get("Handler") == "count"]


def test_these_are_all_documents():
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(DOCUMENTS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_parameter_has_its_bounds(name):
    for parameter, rule in DOCUMENTS[name].get("parameters", {}).items():
        assert re.fullmatch(r"[A-Za-z0-9]+", parameter) and rule["description"]
        if rule["type"] == "StringList":
            assert parameter == "Approvers"
            continue
        assert ("allowedPattern" in rule) != ("allowedValues" in rule), parameter
        if "allowedPattern" in rule:
            pattern = rule["allowedPattern"]
            assert pattern.startswith("^") and pattern.endswith("$")
            assert re.search(pattern, rule.get("default", "")) or "default" not in rule
            assert "|" not in re.sub(r"\(.*\)", "", pattern), "an anchor for each side"
        else:
            assert rule["default"] in rule["allowedValues"]
            assert all(isinstance(value, str) for value in rule["allowedValues"])


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_one_small_step(name):
    document = DOCUMENTS[name]
    assert document["schemaVersion"] == "2.2" and document["description"]
    assert set(document) <= {"schemaVersion", "description", "parameters", "mainSteps"}
    (step,) = document["mainSteps"]
    assert step["action"] == "aws:runShellScript"
    assert step["precondition"] == {"StringEquals": ["platformType", "Linux"]}
    assert int(step["inputs"]["timeoutSeconds"]) in TIMEOUT
    script = ssm_agent.script_of(document)
    assert SCRIPT.fullmatch(script), "nothing but the fallback, in quotes, and the package's script"
    parameters = document.get("parameters", {})
    assert re.findall(r"export SSM_(\w+)=", script) == list(parameters)
    assert all(rule["interpolationType"] == "ENV_VAR" for rule in parameters.values())


@pytest.mark.parametrize("name", COMMANDS)
def test_shellcheck_of_a_script(name, tmp_path):
    script = tmp_path / "script.sh"
    script.write_text("#!/bin/sh\n" + re.sub(r"\{\{ \w+ \}\}", "x", ssm_agent.script_of(DOCUMENTS[name])))
    result = subprocess.run(["shellcheck", script, ROOT / "deploy/ssm/ssm"], capture_output=True,
                            text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


def test_each_parameter_is_one_that_the_script_takes():
    script = (ROOT / "deploy/ssm/ssm").read_text()
    checked = set(re.search(r"for name in ((?:[\w ]|\\\n)+); do", script)[1].replace("\\\n", " ").split())
    named = {parameter for name in COMMANDS for parameter in DOCUMENTS[name].get("parameters", {})}
    assert named - {"What"} == checked


def resolve(value, seen):
    """Each {{ }} of a runbook names a parameter, or an output of a step before."""
    for word in re.findall(r"\{\{ *([\w.:]+) *\}\}", json.dumps(value)):
        step, _, output = word.partition(".")
        if output:
            declared = {out["Name"] for out in STEPS[step].get("outputs", [])}
            assert step in seen and output in declared | {"CommandId"}, word
        else:
            assert word in RING["parameters"], word


def test_the_runbook_goes_from_step_to_step():
    assert RING["schemaVersion"] == "0.3" and RING["assumeRole"] == "{{ AutomationAssumeRole }}"
    names, seen = [step["name"] for step in RING["mainSteps"]], set()
    assert len(set(names)) == len(names)
    for number, step in enumerate(RING["mainSteps"]):
        assert step["action"] in ACTIONS
        resolve(step["inputs"], seen)
        seen.add(step["name"])
        last = number == len(names) - 1
        assert step.get("isEnd", False) == last
        if step["action"] == "aws:branch":
            targets = [choice["NextStep"] for choice in step["inputs"]["Choices"]]
            assert {*targets, step["inputs"]["Default"]} <= set(names[number + 1:])
        elif not last:
            assert step["nextStep"] in names[number + 1:]
        if step["action"] in ("aws:runCommand", "aws:executeScript", "aws:approve"):
            assert step["timeoutSeconds"] > 0
        if step["action"] == "aws:executeScript":
            assert step["timeoutSeconds"] <= 600, "what Automation allows"
    for output in RING["outputs"]:
        step, name = output.split(".")
        assert name in {out["Name"] for out in STEPS[step]["outputs"]}


def test_every_command_for_all_is_counted():
    """Whatever the command's own status is: the count comes next, and it is what decides."""
    for step in STEPS.values():
        if step["action"] == "aws:runCommand" and "Targets" in step["inputs"]:
            count = STEPS[step["nextStep"]]
            assert step["onFailure"] == f"step:{count['name']}" and count["name"] in COUNTS
            assert count["inputs"]["InputPayload"]["CommandId"] == f"{{{{ {step['name']}.CommandId }}}}"
            assert count["inputs"]["InputPayload"]["Expected"] in ("{{ RingSize }}", "{{ SeedCount }}")
            assert step["inputs"]["Targets"][0] == {"Key": "tag:restore.cluster", "Values": ["{{ Fleet }}"]}
    assert len(COUNTS) == 5
    assert len({STEPS[name]["inputs"]["Script"] for name in COUNTS}) == 1


def test_what_goes_to_the_nodes_fits_their_documents():
    for step in STEPS.values():
        if step["action"] == "aws:runCommand":
            given = step["inputs"].get("Parameters", {})
            document = DOCUMENTS[step["inputs"]["DocumentName"]]
            assert all(len(values) == 1 for values in given.values())
            for name, (value,) in given.items():
                rule = document["parameters"][name]
                if "{{" not in value:
                    ssm_agent.take_parameters({"parameters": {name: rule}}, {name: value})
                elif value != "{{ readPlan.Ring }}":
                    own = RING["parameters"][re.fullmatch(r"\{\{ (\w+) \}\}", value)[1]]
                    assert own["allowedPattern"] == rule["allowedPattern"], name
            assert step["inputs"].get("MaxErrors", "0") in ("0", "100%")


def test_preflight_stops_all_and_a_run_stops_nobody():
    assert STEPS["preflight"]["inputs"]["MaxErrors"] == "0"
    assert STEPS["run"]["inputs"]["MaxErrors"] == "100%"
    assert STEPS["run"]["inputs"]["Parameters"]["Cassandra"] == ["hold"]
    assert STEPS["startSeeds"]["inputs"]["MaxConcurrency"] == "1"
    names = list(STEPS)
    assert names.index("countPreflight") < names.index("run") < names.index("countRun") < names.index(
        "startSeeds") < names.index("countSeeds") < names.index("startRest")


SSM = botocore.session.Session().create_client(
    "ssm", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x").meta


def model_errors(operation, arguments):
    shape = SSM.service_model.operation_model(operation).input_shape
    return botocore.validate.ParamValidator().validate(arguments, shape).generate_report()


def test_calls_are_those_of_the_api():
    """By AWS's own model of it: names, types, and the patterns of strings."""
    for step in STEPS.values():
        inputs = dict(step["inputs"])
        if step["action"] == "aws:executeAwsApi":
            assert inputs.pop("Service") == "ssm"
            assert model_errors(inputs.pop("Api"), inputs) == ""
        if step["action"] == "aws:runCommand":
            assert model_errors("SendCommand", inputs) == ""
            shape = SSM.service_model.shape_for("SendCommandRequest")
            for name in ("MaxConcurrency", "MaxErrors"):
                pattern = shape.members[name].metadata["pattern"]
                assert re.fullmatch(pattern, inputs.get(name, "50"))
    assert "Fliters" in model_errors("DescribeInstanceInformation", {"Fliters": []})


def test_answers_are_those_of_the_api():
    invocation = SSM.service_model.shape_for("CommandInvocation").members
    assert {"InstanceId", "Status", "CommandPlugins"} <= set(invocation)
    assert "Output" in invocation["CommandPlugins"].member.members
    told = SSM.service_model.operation_model("GetCommandInvocation").output_shape.members
    assert "StandardOutputContent" in told
    pages = botocore.session.Session().get_paginator_model("ssm").get_paginator("ListCommandInvocations")
    assert pages["result_key"] == "CommandInvocations"


class FakeSSM:
    """Answers of the two calls, a page of two invocations at a time, as botocore pages them."""

    def __init__(self, invocations=(), output=""):
        self.invocations, self.output = list(invocations), output

    def get_paginator(self, name):
        assert name == "list_command_invocations"
        return self

    def paginate(self, CommandId, Details):
        assert CommandId == "c-1" and Details is True
        for at in range(0, max(len(self.invocations), 1), 2):
            yield {"CommandInvocations": self.invocations[at : at + 2]}

    def get_command_invocation(self, CommandId, InstanceId):
        assert (CommandId, InstanceId) == ("c-1", "i-1")
        return {"Status": "Success", "StandardOutputContent": self.output}


def call(monkeypatch, step, ssm, **payload):
    boto3 = types.ModuleType("boto3")
    boto3.client = lambda service: {"ssm": ssm}[service]
    monkeypatch.setitem(sys.modules, "boto3", boto3)
    script = STEPS[step]["inputs"]["Script"]
    ast.parse(script, feature_version=(3, 11))
    space = {}
    exec(compile(script, step, "exec"), space)  # as Automation does: the runbook's own code
    wanted = STEPS[step]["inputs"]["InputPayload"]
    assert set(payload) == set(wanted)
    return space[STEPS[step]["inputs"]["Handler"]](payload, {})


def invocation(number, status="Success", line=None, **more):
    output = "" if line is None else json.dumps(line) + "\n----------ERROR-------\npenates: x\n"
    return {"InstanceId": f"i-{number}", "Status": status, "CommandPlugins": [{"Output": output}], **more}


def done(state="done"):
    return {"format": "penates-status", "state": state}


@pytest.mark.parametrize("count", [1, 3, 51])
def test_all_nodes_succeeded(monkeypatch, count):
    ssm = FakeSSM(invocation(k, line=done()) for k in range(count))
    for restored in ("", "yes"):
        assert call(monkeypatch, "verify", ssm, CommandId="c-1", Expected=str(count),
                    Restored=restored) == {"Succeeded": count}


@pytest.mark.parametrize("invocations, why", [
    ([invocation(0), invocation(1)], "2 of 3 nodes succeeded; the others were not reached"),
    ([], "0 of 3 nodes succeeded; the others were not reached"),
    ([invocation(k) for k in range(4)], "4 of 3"),
    ([invocation(0), invocation(1), invocation(2, "Undeliverable")], "i-2 Undeliverable"),
    ([invocation(0), invocation(1), invocation(2, "Failed", {"exit": 77, "error": "get x: 403; y"})],
     "2 of 3 nodes succeeded; i-2 Failed get x: 403; y"),
    ([invocation(0), invocation(1), {"InstanceId": "i-2", "Status": "Delivery Timed Out"}],
     "i-2 Delivery Timed Out"),
])
def test_a_success_that_is_none(monkeypatch, invocations, why):
    with pytest.raises(RuntimeError, match=re.escape(why)):
        call(monkeypatch, "countRun", FakeSSM(invocations), CommandId="c-1", Expected="3", Restored="")


@pytest.mark.parametrize("line", [done("running"), done("new"), {"format": "penates-ssm"}, None])
def test_a_node_that_is_not_done(monkeypatch, line):
    ssm = FakeSSM([invocation(0, line=done()), invocation(1, line=line)])
    with pytest.raises(RuntimeError, match="1 of 2 nodes succeeded; i-1 Success"):
        call(monkeypatch, "verify", ssm, CommandId="c-1", Expected="2", Restored="yes")


def test_a_plan_of_another_size_goes_no_further(monkeypatch):
    line = {"format": "penates-ssm", "ring": "s3://state/prod/plans/x.json", "slots": 3}
    ssm = FakeSSM(output=json.dumps(line) + "\n")
    payload = {"CommandId": "c-1", "InstanceId": "i-1"}
    assert call(monkeypatch, "readPlan", ssm, **payload, Expected="3") == {"Ring": line["ring"]}
    with pytest.raises(ValueError, match="has 3 slots, and RingSize is 6"):
        call(monkeypatch, "readPlan", ssm, **payload, Expected="6")


@needs_cloud
def test_cfn_lint_has_nothing_to_say(tmp_path):
    def template(documents):
        return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": {
            name.replace("-", ""): {"Type": "AWS::SSM::Document", "Properties": {
                "Name": name, "DocumentFormat": "YAML", "Content": document,
                "DocumentType": "Automation" if document["schemaVersion"] == "0.3" else "Command"}}
            for name, document in documents.items()}})

    path = tmp_path / "documents.json"
    lint = [pathlib.Path(CLOUD_PYTHON).with_name("cfn-lint"), path]
    path.write_text(template(DOCUMENTS))
    result = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")
    path.write_text(template({"Penates-Run": {**DOCUMENTS["Penates-Run"], "schemaVersion": "2.9"}}))
    assert subprocess.run(lint, capture_output=True, check=False).returncode != 0


MOTO = """
import json, pathlib, sys
import boto3, moto
with moto.mock_aws():
    ssm = boto3.client("ssm", region_name="us-east-1")
    for path in map(pathlib.Path, sys.argv[1:]):
        kind = "Automation" if path.stem == "Penates-Ring" else "Command"
        ssm.create_document(Name=path.stem, Content=path.read_text(), DocumentType=kind,
                            DocumentFormat="YAML", TargetType="/AWS::EC2::Instance")
        assert ssm.get_document(Name=path.stem, DocumentFormat="YAML")["Content"]
        told = ssm.describe_document(Name=path.stem)["Document"]
        print(json.dumps([path.stem, sorted(p["Name"] for p in told.get("Parameters", []))]))
"""


@needs_cloud
def test_a_cloud_takes_the_documents():
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "PATH": os.environ["PATH"]}
    result = subprocess.run([CLOUD_PYTHON, "-c", MOTO, *sorted(FOLDER.glob("*.yaml"))], env=keys,
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    told = dict(map(json.loads, result.stdout.splitlines()))
    assert told == {name: sorted(document.get("parameters", {}))
                    for name, document in DOCUMENTS.items()}
