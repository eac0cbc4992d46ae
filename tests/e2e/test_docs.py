"""What the documents show exists: commands, options, files, exit codes. No sentence stands twice."""

import collections
import os
import pathlib
import re
import shlex
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("PENATES", str(ROOT / "build" / "agent" / "penates"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "deploy/docs").glob("*.md")),
         *sorted((ROOT / "cloudformation").glob("*.md"))]
# In the order of the letters that README's table of options has.
LETTERS = {"l": "list", "p": "plan", "r": "restore", "v": "verify", "d": "decode", "s": "status",
           "y": "policy", "o": "doctor", "g": "ring plan", "t": "ring status", "c": "ring claim",
           "n": "signal"}
FOR_GOOD = {64, 65, 66, 73, 77, 78}  # a rerun does not cure it
STOPS = re.compile(r"[|;&<>]+|#.*")

by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def help_of(command):
    """The options of a command, short names, too."""
    text = subprocess.run([BINARY, "help", *command.split()], capture_output=True, text=True,
                          check=True).stdout.split("Examples:")[0]
    found = re.findall(r"^  (?:(-\w), )?(--[a-z0-9-]+)", text, re.M)
    return {name for names in found for name in names if name}


@pytest.fixture(scope="module")
def options():
    return {command: help_of(command) for command in (*LETTERS.values(), "help", "version")}


def code_of(text):
    """The lines of code of a page, those that go on after a backslash as one."""
    fenced = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.M | re.S)
    rest = re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S)
    indented = re.findall(r"^    .*", rest, re.M)
    inline = [code.replace("\n", " ") for code in re.findall(r"`([^`]+)`", rest)]
    joined = re.sub(r"\\\n *", " ", "\n".join([*fenced, *indented]))
    return joined.splitlines() + inline


def words_of(line):
    """The words of one simple command."""
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&<>")
        lexer.whitespace_split = True
        lexer.commenters = ""
        return list(lexer)
    except ValueError:  # a quotation mark that is text
        return line.split()


def calls_of(text):
    """(command, its words) of each call of penates."""
    for line in code_of(text):
        match = re.match(r"\s*(?:[$#] |sudo |- )?(?:\S*/)?penates +([a-z].*)", line)
        for call in [match[1]] if match else re.findall(r"\| *penates +([a-z].*)", line):
            words = words_of(call)
            command = " ".join(words[:2]) if words[0] == "ring" else words[0]
            end = next((i for i, word in enumerate(words) if STOPS.fullmatch(word)), len(words))
            yield command, words[len(command.split()):end]


@by_page
def test_commands_and_their_options_exist(page, options):
    for command, words in calls_of(page.read_text()):
        if command == "ring":  # of `penates ring`, all of them
            continue
        assert command in options, f"penates {command}"
        for word in words:
            if re.match(r"--?[a-z]", word):
                assert word.split("=")[0] in options[command], f"penates {command} {word}"


def test_the_calls_are_found():
    text = ("    penates list s3://b/x --json   # all\n```console\n$ penates ring plan s3://b/x \\\n"
            "    --state 'a b' > f\n```\nand `penates\nverify --sample 5%`, `a | penates decode -`")
    assert list(calls_of(text)) == [
        ("ring plan", ["s3://b/x", "--state", "a b"]), ("list", ["s3://b/x", "--json"]),
        ("verify", ["--sample", "5%"]), ("decode", ["-"])]
    assert sum(len(list(calls_of(page.read_text()))) for page in PAGES) > 60


def test_options_that_the_text_names_exist(options):
    """Of other programs are those that stand in a line with them, so only what is alone counts."""
    known = set().union(*options.values()) | {"--by", "--create", "--on-failure"}
    for page in PAGES:
        for name in re.findall(r"`(--[a-z0-9-]+)(?:[ =][^`]*)?`", page.read_text()):
            if name not in known:
                assert name in FOREIGN.get(page.name, ()), f"{page.name}: {name}"


# Of the AWS CLI, node_exporter and the scripts beside the program.
FOREIGN = {"README.md": ("--help",), "drill.md": ("--collector",), "tables.md": ("--help",),
           "migration.md": ("--no-paginate", "--max-items"),
           "user-data.md": ("--collector",), "stackset.md": ("--template-body", "--template-url")}


def test_readme_says_which_command_takes_which_option(options):
    rows = re.findall(r"^\| `(?:-(\w), )?(--[a-z0-9-]+)[^|]*(?:\\\|[^|]*)*\|.*\| ([a-z ]+) \|$",
                      (ROOT / "README.md").read_text(), re.M)
    table = {name: list(LETTERS) if of == "all" else of.split() for _, name, of in rows}
    assert len(table) == len(rows)
    everywhere = {"--help", "--version"}
    for name in set().union(*options.values()) - everywhere:
        if name.startswith("--"):
            takers = [letter for letter, command in LETTERS.items() if name in options[command]]
            assert table.pop(name, None) == takers, name
    assert table == {}


def anchors_of(page):
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@by_page
def test_links_lead_somewhere(page):
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        found = page.parent / name if name else page
        assert found.exists(), target
        assert not anchor or anchor in anchors_of(found), target
        # These pages are installed side by side, without the rest of the repository.
        assert page.parent.name != "docs" or "/" not in name, target


def test_all_pages_are_in_readme_once():
    text = (ROOT / "README.md").read_text()
    for page in (ROOT / "deploy/docs").glob("*.md"):
        assert text.count(f"| [{page.name}](deploy/docs/{page.name}) |") == 1, page.name


@by_page
def test_files_of_the_repository_exist(page):
    for path in re.findall(r"(?<![\w/.-])((?:deploy|tests|cloudformation)/[\w./-]*\w)", page.read_text()):
        assert list(ROOT.glob(path)), path


def test_no_sentence_stands_twice():
    where = collections.defaultdict(list)
    for page in PAGES:
        text = re.sub(r"^ *```.*?^ *```|^\|.*?$|^    .*?$", "", page.read_text(), flags=re.M | re.S)
        for sentence in re.split(r"(?<=[.:;?])\s+|\n\n", re.sub(r"(?<!\n)\n(?!\n)", " ", text)):
            if len(sentence) > 50:
                where[sentence].append(page.name)
    assert {text: pages for text, pages in where.items() if len(pages) > 1} == {}


def test_exit_codes_are_the_same_everywhere():
    readme = (ROOT / "README.md").read_text()
    manual = (ROOT / "deploy/penates.1").read_text().split(".SH EXIT STATUS")[1].split(".SH FILES")[0]
    codes = {int(code) for code in re.findall(r"^\.B (\d+)$", manual, re.M)}
    table = readme.split("## Exit codes")[1].split("\n## ")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.M)} == codes
    runbook = (ROOT / "deploy/docs/runbook.md").read_text()
    assert {int(code) for code in re.findall(r"\b\d\d\b", runbook.split("Exit codes:")[1].split("\n\n")[0])
            } == codes - {0}
    heads = {int(code) for code in re.findall(r"^## (\d+):", runbook, re.M)}
    assert heads == codes - {0}  # each has its section


@pytest.mark.parametrize("name, pattern", [
    ("deploy/systemd/penates-restore.service", r"RestartPreventExitStatus=([\d ]+)"),
    ("deploy/docs/stacks.md", r"\*\*For good\*\* are exit codes ([\d, and]+)"),
    ("deploy/docs/user-data.md", r"not after what a rerun cannot cure \(([\d, ]+)\)"),
])
def test_what_a_rerun_does_not_cure_is_the_same_everywhere(name, pattern):
    (found,) = re.findall(pattern, re.sub(r"\s+", " ", (ROOT / name).read_text()))
    assert {int(code) for code in re.findall(r"\d+", found)} == FOR_GOOD


def test_settings_that_are_shown_are_options(options):
    """Of penates.conf and verify.conf, which have the options' names, of the units' variables, and of
    what the templates write."""
    shown = [(path, command, name) for path, command in (
        ("deploy/packaging/penates.conf", "restore"), ("deploy/packaging/verify.conf", "verify"),
        ("deploy/user-data/cloud-config.yaml", "restore"), ("deploy/user-data/user-data.sh", "restore"),
        ("deploy/docs/user-data.md", "restore"), ("deploy/docs/stacks.md", "restore"),
        ("deploy/docs/ring.md", "restore"),
    ) for name in re.findall(r"^[ #]*([a-z][a-z-]+) = ", (ROOT / path).read_text(), re.M)]
    shown += [("units", "verify", name.lower().replace("_", "-"))
              for name in re.findall(r"PENATES_([A-Z_]+)=",
                                     (ROOT / "deploy/systemd/penates-verify.service").read_text())]
    template = (ROOT / "cloudformation/ring.yaml.in").read_text()
    written = template.split("path: /run/penates-boot/penates.conf")[1].split("- Head:")[0]
    shown += [("ring.yaml.in", "restore", name)
              for name in re.findall(r"^ +([a-z][a-z-]+) = ", written, re.M)]
    assert len(shown) > 30
    for path, command, name in shown:
        assert f"--{name}" in options[command], f"{path}: {name}"
