#!/usr/bin/env python3
"""check_man.py PENATES PAGE: what --help tells and what the man page tells are the same."""

import re
import shutil
import subprocess
import sys

COMMANDS = ["list", "plan", "restore", "verify", "decode", "status", "policy", "doctor",
            "ring plan", "ring status", "ring claim", "signal", "help", "version"]
EXIT_CODES = {0, 64, 65, 66, 69, 70, 73, 74, 75, 77, 78}


def run(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True).stdout


def help_options(penates):
    """name -> (letter, argument), of all commands together."""
    found = {}
    for command in COMMANDS:
        text = run(penates, "help", *command.split())
        if command != "help":  # of which --help is the overview
            assert text == run(penates, *command.split(), "--help"), command
        assert f"usage: penates {command}" in text
        assert len(re.findall(r"^  (?:penates|aws) ", text.split("Examples:")[1], re.M)) == 2
        for line in text.split("Examples:")[0].splitlines():
            match = re.match(r"  (?:-(\w), )?--([a-z0-9-]+)(?: (\S+))?(?:  |$)", line)
            if match:
                value = (match[1], match[3])
                assert found.setdefault(match[2], value) == value, line
    return found


def man_options(page):
    text = open(page, encoding="ascii").read()
    section = text.split(".SH OPTIONS")[1].split(".SH EXIT STATUS")[0]
    found = {}
    for line in re.findall(r"^\.TP\n(.*)$", section, re.M):
        plain = re.sub(r"\\f.|\"", "", line.replace("\\-", "-")).replace(" ,", ",")
        words = plain.split()[1:]
        letter = next((w[1] for w in words if re.fullmatch(r"-\w,?", w)), None)
        name = next(w for w in words if w.startswith("--"))[2:]
        rest = [w for w in words if not w.startswith("-") and w not in ("FILE,", ",")]
        found[name] = (letter, rest[-1] if rest else None)
    return text, found


def main():
    penates, page = sys.argv[1:]
    text, in_man = man_options(page)
    in_help = help_options(penates)
    assert in_man == in_help, {
        "only in help": {k: v for k, v in in_help.items() if in_man.get(k) != v},
        "only in man": {k: v for k, v in in_man.items() if in_help.get(k) != v}}
    sections = re.findall(r"^\.SH (.*)$", text, re.M)
    assert sections == ["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "CREDENTIALS",
                        "EXIT STATUS", "FILES", "ENVIRONMENT", "EXAMPLES", "SEE ALSO"], sections
    commands = text.split(".SH COMMANDS")[1].split(".SH OPTIONS")[0]
    for command in COMMANDS:
        assert re.search(rf'^\.(BI?|BR) "?{command}"?( |$)', commands, re.M), command
    codes = text.split(".SH EXIT STATUS")[1].split(".SH FILES")[0]
    assert {int(code) for code in re.findall(r"^\.B (\d+)$", codes, re.M)} == EXIT_CODES
    overview = run(penates, "help")
    for code in EXIT_CODES:
        assert re.search(rf"\b{code} ", overview), code
    if shutil.which("man"):
        rendered = subprocess.run(["man", "--warnings", "-l", page], capture_output=True,
                                  text=True, env={"PATH": "/usr/bin:/bin", "MANWIDTH": "80",
                                                  "LC_ALL": "C.UTF-8", "MANPAGER": "cat"})
        assert rendered.returncode == 0 and rendered.stderr == "", rendered.stderr
        assert "EXIT STATUS" in rendered.stdout


main()
