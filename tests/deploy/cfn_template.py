"""CloudFormation templates as Python objects, and the few functions that the tests evaluate."""

import json
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "cloudformation"
NAMES = ["ring.yaml", "restore-drill.yaml", "state.yaml"]


class Loader(yaml.SafeLoader):
    """Short forms become long ones: !Ref X is {"Ref": "X"}."""


def construct(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".")
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", construct)
# A date in a policy is text.
Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def load(name):
    return yaml.load((TEMPLATES / name).read_text(), Loader)


def of_type(template, kind):
    return {name: resource for name, resource in template["Resources"].items()
            if resource["Type"] == kind}


def walk(value):
    """Each dictionary in it."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def used_names(value):
    """What is referred to, by Ref, GetAtt and within Sub."""
    names = set()
    for thing in walk(value):
        if "Ref" in thing:
            names.add(thing["Ref"])
        if "Fn::GetAtt" in thing:
            names.add(thing["Fn::GetAtt"][0])
        if "Fn::Sub" in thing:
            sub = thing["Fn::Sub"]
            text, own = (sub, {}) if isinstance(sub, str) else sub
            names |= {found.split(".")[0] for found in re.findall(r"\$\{([^!}]+)\}", text)
                      if found not in own}
    return names


def holds(value, parameters):
    """A rule's assertion, of what these templates use."""
    (kind, inner), = value.items()
    if kind == "Fn::Or":
        return any(holds(one, parameters) for one in inner)
    if kind == "Fn::And":
        return all(holds(one, parameters) for one in inner)
    if kind == "Fn::Not":
        return not holds(inner[0], parameters)
    assert kind == "Fn::Equals", kind
    left, right = (parameters[side["Ref"]] if isinstance(side, dict) else side for side in inner)
    return left == right


def broken_rules(template, parameters):
    """The names of the rules that refuse these."""
    whole = {name: str(parameter.get("Default", "")) for name, parameter
             in template["Parameters"].items()} | parameters
    return [name for name, rule in template["Rules"].items()
            if not all(holds(one["Assert"], whole) for one in rule["Assertions"])]


def refused(template, name, value):
    """Whether CloudFormation takes this value for the parameter; a pattern is for all of it."""
    parameter = template["Parameters"][name]
    if "AllowedValues" in parameter:
        return str(value) not in map(str, parameter["AllowedValues"])
    if parameter["Type"] == "Number":
        return not (re.fullmatch(r"[0-9]+", value) and
                    parameter["MinValue"] <= int(value) <= parameter["MaxValue"])
    values = value.split(",") if parameter["Type"] == "CommaDelimitedList" else [value]
    return not all(re.fullmatch(parameter["AllowedPattern"], one) for one in values)


def parameters_of(path):
    return {entry["ParameterKey"]: entry["ParameterValue"]
            for entry in json.loads(path.read_text())}
