"""The templates as they are written: the linters' rules, and ours, which are stricter."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import yaml

pytest.importorskip("cfnlint", reason="tests/deploy/cloudformation.txt is not installed")
from cfn_template import (  # noqa: E402
    NAMES, TEMPLATES, Loader, broken_rules, load, of_type, parameters_of, refused, used_names, walk)

HERE = pathlib.Path(__file__).parent
CHECKOV = os.environ.get("PENATES_CHECKOV")
RINGS = ["ring.yaml", "restore-drill.yaml"]
SAMPLE = TEMPLATES / "sample-plan.json"
FILES = {"state.json": "state.yaml", "drill.json": "restore-drill.yaml"}  # else ring.yaml
HOSTILE = ["$(touch /tmp/harm)", "`id`", "x; id", "x|id", "x&id", "' ; id '", '"; id "', "x>y", "x<y",
           "${IFS}", "x\ny", "x\n      PENATES", "x\ry", "x\\", "a\tb", "#x", "x: y", "[x]", "{x}", "!x", "*"]
# The only things that any role here may do; what is deleted and listed is deleted and listed by others.
ACTIONS = {"s3:ListBucket", "s3:GetObject", "s3:PutObject", "kms:Decrypt", "sts:AssumeRole",
           "cloudformation:SignalResource", "logs:CreateLogStream", "logs:DescribeLogStreams",
           "logs:PutLogEvents"}
DRILL_ACTIONS = {"cloudformation:DeleteStack", "iam:PassRole"}
INTRINSIC = re.compile(r"\$\{([^}]*)\}")


@pytest.fixture(scope="module", params=NAMES)
def template(request):
    return load(request.param)


@pytest.fixture(scope="module", params=RINGS)
def ring(request):
    return load(request.param)


def tool(name, *args):
    return subprocess.run([pathlib.Path(sys.executable).parent / name, *args], capture_output=True,
                          text=True, check=False, cwd=TEMPLATES)


def statements(template):
    """(role or policy, statement), of all roles, without their conditional wrapping."""
    for name, resource in template["Resources"].items():
        for policy in resource.get("Properties", {}).get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement["Fn::If"][1] if "Fn::If" in statement else statement


def as_list(value):
    return value if isinstance(value, list) else [value]


def test_cfn_lint_and_yamllint_find_nothing():
    lint = tool("cfn-lint", "--include-checks", "I", "--", *NAMES)
    assert lint.returncode == 0 and lint.stdout == "", lint.stdout + lint.stderr
    rules = ("{extends: default, rules: {line-length: disable, document-start: disable,"
             " comments: {min-spaces-from-content: 1}}}")
    assert tool("yamllint", "-s", "-d", rules, *NAMES).stdout == ""


def test_cfn_lint_would_find_something(tmp_path):
    text = (TEMPLATES / "ring.yaml").read_text()
    for was, becomes in (("HttpTokens: required", "HttpTokens: perhaps"),
                         ("!Ref Rack2Subnet", "!Ref Rack9Subnet")):
        (tmp_path / "wrong.yaml").write_text(text.replace(was, becomes))
        assert tool("cfn-lint", tmp_path / "wrong.yaml").returncode != 0


@pytest.mark.skipif(CHECKOV is None, reason="PENATES_CHECKOV names no checkov")
def test_checkov_finds_what_is_accepted_and_no_more():
    result = subprocess.run(
        [CHECKOV, "--skip-download", "--compact", "--quiet", "-o", "json", "-f", *NAMES],
        capture_output=True, text=True, check=False, cwd=TEMPLATES)
    report = json.loads(result.stdout)
    assert report["summary"]["parsing_errors"] == 0 and report["summary"]["passed"] > 60
    found = {(pathlib.Path(check["file_path"]).name, check["check_id"], check["resource"])
             for check in report["results"]["failed_checks"]}
    lines = [line.split("\t") for line in (HERE / "checkov-exceptions.tsv").read_text().splitlines()
             if not line.startswith("#")]
    assert all(len(line) == 4 and len(line[3]) > 20 for line in lines)
    assert found == {tuple(line[:3]) for line in lines}


def test_nothing_is_nested_or_transformed(template):
    assert "Transform" not in template
    for thing in walk(template):
        assert not any(key.startswith(("Fn::ForEach", "Fn::Transform", "Fn::ImportValue"))
                       for key in thing)
    assert not of_type(template, "AWS::CloudFormation::Stack")
    assert not any("Custom" in resource["Type"] for resource in template["Resources"].values())
    assert all("Export" not in output for output in template["Outputs"].values())


def test_every_action_is_one_of_few_and_on_something(template):
    drill = "DeleteSchedule" in template["Resources"]
    seen = set()
    for name, statement in statements(template):
        assert statement["Effect"] == "Allow"
        actions = as_list(statement["Action"])
        allowed = DRILL_ACTIONS if name == "DeleteRole" else ACTIONS
        assert set(actions) <= allowed, (name, actions)
        seen |= set(actions)
        for resource in as_list(statement["Resource"]):
            text = json.dumps(resource)
            assert text != '"*"' and ":::*" not in text, (name, statement)
    assert not any("Delete" in action for action in seen) or drill
    assert {"s3:ListBucket", "s3:GetObject", "s3:PutObject"} <= seen


def test_a_drill_may_delete_itself_and_nothing_else():
    role = dict(enumerate(statement for name, statement in statements(load("restore-drill.yaml"))
                          if name == "DeleteRole"))
    assert role[0]["Resource"] == {"Ref": "AWS::StackId"}
    assert role[1]["Resource"] == {"Ref": "DeleteRoleArn"} and "Condition" in role[1]
    schedule = load("restore-drill.yaml")["Resources"]["DeleteSchedule"]["Properties"]["Target"]
    assert json.loads(schedule["Input"]["Fn::Sub"]) == {
        "StackName": "${AWS::StackId}", "RoleARN": "${DeleteRoleArn}"}


def test_roles_are_bounded_and_only_one_is_managed(template):
    roles = of_type(template, "AWS::IAM::Role")
    assert roles
    for role in roles.values():
        assert role["Properties"]["PermissionsBoundary"]["Fn::If"][0] == "HasBoundary"
        assert "RoleName" not in role["Properties"]  # so that CAPABILITY_IAM is enough
        assert len(role["Properties"].get("ManagedPolicyArns", [])) <= 1


def test_a_key_is_used_through_s3_only(template):
    keys = [statement for _, statement in statements(template)
            if "kms:Decrypt" in as_list(statement["Action"])]
    assert keys
    for statement in keys:
        service = statement["Condition"]["StringEquals"]["kms:ViaService"]["Fn::Sub"]
        assert service[0] == "s3.${Region}.${AWS::URLSuffix}"
        assert statement["Resource"] == {"Ref": "BackupKeyArn"}


def test_state_is_kept_and_its_writes_are_conditional():
    state = load("state.yaml")
    for name in ("StateBucket", "StateBucketPolicy", "LogGroup"):
        assert state["Resources"][name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert state["Resources"][name]["UpdateReplacePolicy"] == "Retain"
    denials = {statement["Sid"]: statement for statement in
               state["Resources"]["StateBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]}
    assert all(denial["Effect"] == "Deny" for denial in denials.values())
    assert denials["OnlyOverTls"]["Condition"] == {"Bool": {"aws:SecureTransport": False}}
    claims, plans = denials["OnlyConditionalClaims"], denials["OnlyNewPlans"]
    assert claims["Condition"] == {"Null": {"s3:if-none-match": True, "s3:if-match": True}}
    assert claims["Resource"]["Fn::Sub"].endswith("/claims/*")
    assert plans["Condition"] == {"Null": {"s3:if-none-match": True}}
    bucket = state["Resources"]["StateBucket"]["Properties"]
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4


def test_every_group_is_one_node_with_its_own_address(ring):
    groups = of_type(ring, "AWS::AutoScaling::AutoScalingGroup")
    conditions = of_type(ring, "AWS::CloudFormation::WaitCondition")
    plan = json.loads(SAMPLE.read_text())
    assert len(groups) == len(conditions) == len(plan["slots"])
    racks = [rack["rack"] for rack in plan["racks"]]
    for number, slot in enumerate(plan["slots"]):
        group = groups[f"Slot{number}"]
        rack = racks.index(slot["rack"]) + 1
        assert group["CreationPolicy"]["ResourceSignal"]["Count"] == 1
        assert "UpdatePolicy" not in group and "DependsOn" not in group
        properties = group["Properties"]
        assert properties["MinSize"] == properties["MaxSize"] == "1"
        # A group whose instances have an interface of their own takes a zone, and no subnets.
        assert properties["AvailabilityZones"] == [{"Ref": f"Rack{rack}Zone"}]
        assert "VPCZoneIdentifier" not in properties
        # CloudFormation cannot delete a group whose instance is protected.
        assert "NewInstancesProtectedFromScaleIn" not in properties
        tags = {tag["Key"]: tag["Value"] for tag in properties["Tags"]}
        assert tags["restore.slot"] == str(number)
        assert tags["restore.rack"] == {"Ref": f"Rack{rack}Name"}
        assert all(tag["PropagateAtLaunch"] for tag in properties["Tags"])
        assert all(re.fullmatch(r"[A-Za-z0-9+=.,_:@-]+", key) for key in tags)
        condition = conditions[f"Slot{number}Restored"]["Properties"]
        assert condition["Count"] == 1 and condition["Handle"] == {"Ref": f"Slot{number}Handle"}
        interface = ring["Resources"][f"Slot{number}Interface"]["Properties"]
        assert interface["SubnetId"] == {"Ref": f"Rack{rack}Subnet"}
        assert "PrivateIpAddress" not in interface


def test_every_launch_template_takes_only_version_2_of_the_metadata(ring):
    templates = of_type(ring, "AWS::EC2::LaunchTemplate")
    assert templates
    for name, resource in templates.items():
        data = resource["Properties"]["LaunchTemplateData"]
        assert data["MetadataOptions"] == {"HttpEndpoint": "enabled", "HttpTokens": "required",
                                           "HttpPutResponseHopLimit": 1,
                                           "InstanceMetadataTags": "enabled"}
        assert data["NetworkInterfaces"] == [
            {"DeviceIndex": 0, "NetworkInterfaceId": {"Ref": name.replace("Template", "Interface")},
             "DeleteOnTermination": False}]
        (volume,) = data["BlockDeviceMappings"]["Fn::If"][1]
        assert volume["Ebs"]["Encrypted"] is True
        assert "KeyName" not in data and "SecurityGroupIds" not in data


def test_nobody_but_nodes_and_named_clients_gets_in(ring):
    for rule in of_type(ring, "AWS::EC2::SecurityGroupIngress").values():
        properties = rule["Properties"]
        assert properties["ToPort"] - properties["FromPort"] <= 1
        if "CidrIp" in properties:
            assert properties["CidrIp"] == {"Ref": "PeerCidr"} and rule["Condition"] == "HasPeers"
        else:
            assert properties["SourceSecurityGroupId"]["Ref"] in (
                "NodeSecurityGroup", "ClientSecurityGroup")
    for group in of_type(ring, "AWS::EC2::SecurityGroup").values():
        for rule in group["Properties"].get("SecurityGroupIngress", []):
            assert rule["SourceSecurityGroupId"] == {"Ref": "NodeSecurityGroup"}
        assert group["Properties"]["SecurityGroupEgress"]  # none means all
    assert refused(ring, "PeerCidr", "0.0.0.0/0") and not refused(ring, "PeerCidr", "10.1.0.0/16")


def test_every_parameter_is_used_described_and_grouped(template):
    parameters = template["Parameters"]
    rest = {key: template.get(key) for key in ("Rules", "Conditions", "Resources", "Outputs")}
    assert set(parameters) <= used_names(rest)
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(parameters)
    for name, parameter in parameters.items():
        assert 10 < len(parameter["Description"]) <= 200, name
        assert "NoEcho" not in parameter  # no secret is a parameter
        if "Default" in parameter:
            assert not refused(template, name, str(parameter["Default"])), name


def test_no_parameter_takes_what_a_shell_or_yaml_would_act_on(template):
    for name, parameter in template["Parameters"].items():
        for text in HOSTILE:
            for value in (text, f"a{text}", f"{parameter.get('Default', 'a')}{text}"):
                assert refused(template, name, value), (name, value)


def test_the_rules_refuse_what_cannot_go_well(ring):
    good = {"SourceCluster": "prod", "ClusterName": "drill", "V1Prefix": "backup/us-east-1/prod/*"}
    assert broken_rules(ring, good) == []
    for change, rule in (({"ClusterName": "prod"}, "AnotherName"),
                         ({"V1Prefix": ""}, "SomeBackup"),
                         ({"PackageUri": "s3://b/p.deb"}, "WholePackage"),
                         ({"PackageSha256": "0" * 64}, "WholePackage"),
                         ({"ExternalId": "4711"}, "RoleOfTheExternalId")):
        assert broken_rules(ring, good | change) == [rule]
    assert broken_rules(ring, good | {"ClusterName": "prod", "AllowSameName": "yes"}) == []


@pytest.mark.parametrize("path", sorted((TEMPLATES / "parameters").glob("*.json")),
                         ids=lambda path: path.name)
def test_parameter_files_fit_their_template(path):
    template = load(FILES.get(path.name, "ring.yaml"))
    given = parameters_of(path)
    assert set(given) <= set(template["Parameters"])
    needed = {name for name, parameter in template["Parameters"].items()
              if "Default" not in parameter}
    assert needed <= set(given)
    for name, value in given.items():
        assert not refused(template, name, value), (name, value)
    assert broken_rules(template, given) == []
    assert f"parameters/{path.name}" in (TEMPLATES / "stackset.md").read_text()


def test_user_data_has_no_value_but_in_blocks_of_text(ring):
    """After its head, which is the same for all and has no value in it, come three files."""
    head = ring["Mappings"]["UserData"]["Text"]["Head"]
    assert not INTRINSIC.search(head)
    (script,) = [one for one in yaml.safe_load(head)["write_files"]]
    assert script["content"] == (TEMPLATES / "boot.sh").read_text()
    for resource in of_type(ring, "AWS::EC2::LaunchTemplate").values():
        text, values = resource["Properties"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"]
        assert text.startswith("${Head}  - path: ")
        assert values["Head"] == {"Fn::FindInMap": ["UserData", "Text", "Head"]}
        config = yaml.safe_load(text.replace("${Head}", head))
        assert [file["path"].rpartition("/")[2] for file in config["write_files"]] == [
            "boot.sh", "facts", "cassandra", "penates.conf"]
        inside = "".join(file["content"] for file in config["write_files"][1:])
        assert sorted(INTRINSIC.findall(inside) + ["Head"]) == sorted(INTRINSIC.findall(text))
        for line in inside.splitlines():
            assert re.fullmatch(r"[a-z][a-z0-9_-]* = .+", line)


def test_boot_script_passes_shellcheck():
    assert subprocess.run(["shellcheck", TEMPLATES / "boot.sh"], check=False).returncode == 0


# The generator


def make(*args):
    return subprocess.run([sys.executable, TEMPLATES / "make-ring.py", *args], capture_output=True,
                          text=True, check=False)


def plan_of(slots, racks=3, **changes):
    plan = json.loads(SAMPLE.read_text())
    names = [f"rack-{number}" for number in range(racks)]
    one = plan["slots"][0]
    plan["racks"] = [{"rack": name, "zone": f"eu-west-1{'abcdef'[k]}"} for k, name in enumerate(names)]
    plan["slots"] = [one | {"slot": k, "rack": names[k % racks]} for k in range(slots)]
    return plan | changes


@pytest.fixture
def saved(tmp_path):
    def save(plan):
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        return tmp_path / "plan.json"
    return save


@pytest.mark.parametrize("name, args", [("ring.yaml", []), ("restore-drill.yaml", ["--drill"])])
def test_what_is_shipped_is_what_the_generator_makes(name, args):
    made = make(*args, SAMPLE)
    assert made.returncode == 0 and made.stderr == ""
    assert made.stdout == (TEMPLATES / name).read_text()


def test_the_shipped_templates_go_with_a_request():
    assert all((TEMPLATES / name).stat().st_size <= 51200 for name in NAMES)


def test_the_sample_is_a_plan():
    if shutil.which("penates") is None and "PENATES" not in os.environ:
        pytest.skip("no penates")
    binary = os.environ.get("PENATES", "penates")
    result = subprocess.run([binary, "restore", "--ring", SAMPLE, "--slot", "9", "--into", "/nowhere"],
                            env=os.environ | {"AWS_EC2_METADATA_DISABLED": "true"},
                            capture_output=True, text=True, check=False)
    assert "the ring has slots 0 to 2" in result.stderr  # read, its digest found right


def test_a_larger_ring_has_the_same_shape(saved, tmp_path):
    slots, racks = 7, 2
    plan = plan_of(slots, racks)
    plan["slots"][3]["ip"] = "10.0.1.23"
    made = make(saved(plan))
    assert made.returncode == 0 and "--template-url" in made.stderr
    (tmp_path / "ring.yaml").write_text(made.stdout)
    assert tool("cfn-lint", tmp_path / "ring.yaml").stdout == ""
    ring = load(tmp_path / "ring.yaml")
    assert len(of_type(ring, "AWS::AutoScaling::AutoScalingGroup")) == slots
    for number in range(slots):
        interface = ring["Resources"][f"Slot{number}Interface"]["Properties"]
        assert interface["SubnetId"] == {"Ref": f"Rack{number % racks + 1}Subnet"}
        assert interface.get("PrivateIpAddress") == ("10.0.1.23" if number == 3 else None)
        data = ring["Resources"][f"Slot{number}Template"]["Properties"]["LaunchTemplateData"]
        text = data["UserData"]["Fn::Base64"]["Fn::Sub"][0]
        (seeds,) = re.findall(r"seeds = (.*)", text)
        # The first of each rack, and itself.
        assert set(re.findall(r"Slot(\d+)Interface", seeds)) == {"0", "1", str(number)}
        assert f"stack-resource = Slot{number}\n" in text and f"ring-size = {slots}\n" in text


def test_logical_ids_stay_when_a_ring_grows(saved):
    """Else an update would replace what is there."""
    small, large = (set(yaml.load(make(saved(plan_of(slots))).stdout, Loader)["Resources"])
                    for slots in (3, 6))
    assert small < large
    assert all(re.match(r"Slot[345]", name) for name in large - small)


def test_too_large_a_ring_is_refused(saved):
    assert make(saved(plan_of(96))).returncode == 0
    result = make(saved(plan_of(97)))
    assert result.returncode == 64 and result.stdout == ""
    assert "resources: CloudFormation takes 500" in result.stderr


@pytest.mark.parametrize("text, message", [
    ("", "give what 'penates ring plan --out' wrote"),
    ("[]", "no ring plan"),
    (json.dumps({"format": "penates-ring-plan", "version": 2}), "version 2, known is 1"),
    (json.dumps(plan_of(3) | {"racks": [{"rack": "a: {b}", "zone": "z"}]}), "cannot stand in"),
    (json.dumps(plan_of(3) | {"slots": plan_of(3)["slots"][1:]}), "slot 1 stands at 0"),
])
def test_what_is_no_plan_is_refused(tmp_path, text, message):
    (tmp_path / "plan.json").write_text(text)
    result = make(tmp_path / "plan.json")
    assert result.returncode == 64 and result.stdout == "" and message in result.stderr


def test_the_documents_name_what_there_is():
    for name in ("README.md", "stackset.md"):
        text = (TEMPLATES / name).read_text()
        for word in re.findall(r"ParameterKey=(\w+)", text):
            assert any(word in load(template)["Parameters"] for template in NAMES), word
        for path in re.findall(r"cloudformation/([\w./-]+\.(?:json|yaml|py))", text):
            assert (TEMPLATES / path).exists(), path
