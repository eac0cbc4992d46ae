#!/usr/bin/env python3
"""Writes the CloudFormation template of a ring: as many nodes in as many racks as its plan has.

    penates ring plan s3://my-bucket/backup --cluster prod --state s3://my-state/prod --out plan.json
    cloudformation/make-ring.py plan.json > ring.yaml
    cloudformation/make-ring.py --drill plan.json > restore-drill.yaml

CloudFormation has no loops that a stack set could do with, so they are run here: ring.yaml.in
between '#@ for' and '#@ end', once for each rack, slot or service. Only the shape comes from
the plan: racks, zones, fixed addresses. Tokens and restore points stay in the plan, which every node
reads, so any plan of the same shape goes with the template.
"""

import argparse
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
NAMES = ["RACK", "NAME", "ZONE", "SLOT", "IP", "SEEDS", "SERVICE", "ENDPOINT"]
SERVICES = ["Ssm", "Ssmmessages", "Cloudformation", "Logs", "Sts"]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
ADDRESS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")
INLINE_BYTES, S3_BYTES, RESOURCES, PARAMETERS = 51200, 1000000, 500, 200


class Unfit(Exception):
    """A plan that no template can be made of: what, why, next step."""


def read_plan(path):
    try:
        plan = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unfit(f"{path}: {error}; give what 'penates ring plan --out' wrote") from error
    if not isinstance(plan, dict) or plan.get("format") != "penates-ring-plan":
        raise Unfit(f"{path}: no ring plan; give what 'penates ring plan --out' wrote")
    if plan.get("version") != 1:
        raise Unfit(f"{path}: version {plan.get('version')}, known is 1; take its own make-ring.py")
    return plan


def checked(pattern, text, what):
    if not pattern.fullmatch(text):
        raise Unfit(f"{what} '{text}': cannot stand in a template; rename it in the plan's making")
    return text


def addresses(slots):
    return ",".join(f"${{Slot{slot}Interface.PrimaryPrivateIpAddress}}" for slot in slots)


def shape(plan):
    """What the loops go over: of each thing its values."""
    racks = [{"RACK": number, "NAME": checked(NAME, rack["rack"], "rack"),
              "ZONE": checked(NAME, rack["zone"], "zone")}
             for number, rack in enumerate(plan["racks"], 1)]
    by_name = {rack["NAME"]: rack for rack in racks}
    slots, seeds = [], {}
    for number, slot in enumerate(plan["slots"]):
        if slot["slot"] != number:
            raise Unfit(f"slot {slot['slot']} stands at {number}; make the plan anew")
        ip = slot["ip"] and checked(ADDRESS, slot["ip"], "address")
        slots.append({"SLOT": number, "RACK": by_name[slot["rack"]]["RACK"], "IP": ip})
        seeds.setdefault(slot["rack"], number)
    for slot in slots:
        # Itself, too: only a seed starts when it finds no other, and all start at about once.
        slot["SEEDS"] = addresses(sorted({slot["SLOT"], *seeds.values()}))
    return {"rack": racks, "slot": slots, "SEEDS": addresses(seeds.values()),
            "service": [{"SERVICE": name, "ENDPOINT": name.lower()} for name in SERVICES]}


def fill(line, values):
    return re.sub(r"@([A-Z]+)@", lambda found: str(values[found[1]]), line)


def include(name, indent):
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [(indent + line).rstrip() for line in lines]


def expand(lines, things, values):
    """The lines with their '#@' carried out, up to an '#@ end' of their own."""
    made = []
    while lines:
        words = lines[0].split()
        if words[:1] != ["#@"]:
            made.append(fill(lines.pop(0), values))
            continue
        indent = lines.pop(0).split("#@")[0]
        if words[1] == "end":
            return made
        if words[1] == "include":
            made += include(words[2], indent)
            continue
        if words[1] == "for":
            rounds = things[words[2]]
        else:
            rounds = [{}] if bool(values[words[2]]) == (words[1] == "if") else []
        rest = list(lines)
        expand(lines, things, dict.fromkeys(NAMES, "") | values)
        for more in rounds:
            made += expand(list(rest), things, values | more)
    return made


def make(plan, drill=False):
    things = shape(plan)
    values = {"SIZE": len(things["slot"]), "RACKS": len(things["rack"]),
              "SEEDS": things["SEEDS"], "DRILL": drill}
    lines = (HERE / "ring.yaml.in").read_text(encoding="utf-8").splitlines()
    return "\n".join(expand(lines, things, values)) + "\n"


def check_size(text):
    """Beyond these CloudFormation refuses a template, with less to say."""
    sections = re.split(r"^(\w+):$", text, flags=re.MULTILINE)
    bodies = dict(zip(sections[1::2], sections[2::2]))
    for section, limit in (("Resources", RESOURCES), ("Parameters", PARAMETERS)):
        count = len(re.findall(r"^  \w+:", bodies[section], flags=re.MULTILINE))
        if count > limit:
            raise Unfit(f"{count} {section.lower()}: CloudFormation takes {limit} a template; "
                        "start the nodes of so large a ring by their user data")
    size = len(text.encode())
    if size > S3_BYTES:
        raise Unfit(f"{size} bytes: CloudFormation takes {S3_BYTES}; "
                    "start the nodes of so large a ring by their user data")
    if size > INLINE_BYTES:
        print(f"make-ring.py: {size} bytes, more than the {INLINE_BYTES} that go with a request: "
              "upload the template to S3 and give --template-url", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--drill", action="store_true", help="a stack that deletes itself")
    parser.add_argument("plan", help="what 'penates ring plan --out' wrote")
    args = parser.parse_args()
    try:
        text = make(read_plan(args.plan), args.drill)
        check_size(text)
    except Unfit as error:
        print(f"make-ring.py: error: {error}", file=sys.stderr)
        return 64
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
