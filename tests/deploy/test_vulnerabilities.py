"""What is linked into the packages, and what the tests run with, has no known hole that a newer
version has closed. The data: the distribution's security archive for the libraries, the package
index's advisories for Python. For the jars of the tests there is no such source in reach."""

import datetime
import json
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PINS = ROOT / "deploy/packaging/static-libs.pins"
AUDIT = os.environ.get("PENATES_PIP_AUDIT")
SUPPRESSIONS = pathlib.Path(__file__).parent / "suppressions.tsv"
BUILT_FROM = {"curl": "libcurl4-openssl-dev", "libxml2": "libxml2-dev"}  # source -> what apt lists
# Linked from the compiler's own package.
COMPILER = "libstdc++-12-dev"


def suppressions(text):
    """(id, package) -> last day."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            fields = line.split("\t")
            assert len(fields) == 4 and len(fields[3].split()) > 3, f"no reason: {line}"
            found[fields[0], fields[1]] = datetime.date.fromisoformat(fields[2])
    return found


def judge(reported, allowed, today):
    """Complaints about what is reported as (ids, package) and not suppressed, or the reverse."""
    complaints = []
    used = set()
    for ids, package in reported:
        hits = {(one, package) for one in ids} & allowed.keys()
        used |= hits
        if not hits:
            complaints.append(f"{package}: {' '.join(sorted(ids))}")
    complaints += [f"{package}: {one} was to be looked at by {day}"
                   for (one, package), day in allowed.items() if day < today]
    complaints += [f"{package}: {one} is not reported any more: take the line out"
                   for one, package in allowed.keys() - used]
    return complaints


def test_the_judge_says_no():
    today = datetime.date(2026, 11, 24)
    allowed = suppressions("CVE-1\ta\t2026-12-01\tit cannot be reached here\n")
    assert judge([({"CVE-1", "GHSA-1"}, "a")], allowed, today) == []
    assert judge([({"CVE-2"}, "b")], {}, today) == ["b: CVE-2"]
    assert len(judge([({"CVE-1"}, "b")], allowed, today)) == 2
    assert "looked at" in judge([({"CVE-1"}, "a")], allowed, datetime.date(2026, 12, 2))[0]
    with pytest.raises(AssertionError):
        suppressions("CVE-1\ta\t2026-12-01\tno\n")
    with pytest.raises(ValueError):
        suppressions("CVE-1\ta\tsoon\tit cannot be reached here\n")


def newest(package):
    told = subprocess.run(["apt-cache", "policy", package], capture_output=True, text=True,
                          check=True).stdout
    return re.search(r"Candidate: (\S+)", told)[1]


def is_older(version, than):
    return subprocess.run(["dpkg", "--compare-versions", version, "lt", than],
                          check=False).returncode == 0


@pytest.fixture(scope="module")
def archive():
    if os.geteuid() != 0:
        pytest.skip("the lists of the archive are root's")
    subprocess.run(["apt-get", "update", "-qq"], check=True, stderr=subprocess.DEVNULL)


def test_the_pinned_libraries_are_the_newest(archive):
    pinned = {}
    for line in PINS.read_text().splitlines():
        if line and not line.startswith("#"):
            _, package, version = line.split()[:3]
            pinned[BUILT_FROM.get(package, package)] = version
    assert len(pinned) == 7
    old = {package: (version, newest(package)) for package, version in pinned.items()
           if is_older(version, newest(package))}
    assert old == {}, "take the new versions into static-libs.pins"


def test_the_compiler_is_the_newest(archive):
    installed = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", COMPILER],
                               capture_output=True, text=True, check=True).stdout
    assert not is_older(installed, newest(COMPILER))


def test_python_packages(tmp_path):
    if AUDIT is None:
        pytest.skip("PENATES_PIP_AUDIT names no pip-audit")
    result = subprocess.run(
        [AUDIT, "-r", ROOT / "tests/requirements.txt", "--no-deps", "--disable-pip", "-f", "json",
         "--progress-spinner", "off"], capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1), result.stderr
    rows = json.loads(result.stdout)["dependencies"]
    assert rows
    if all("skip_reason" in row for row in rows):
        pytest.skip("this package index has no advisories")
    reported = [({found["id"], *found["aliases"]}, row["name"])
                for row in rows for found in row.get("vulns", []) if found["fix_versions"]]
    assert judge(reported, suppressions(SUPPRESSIONS.read_text()), datetime.date.today()) == []


def test_the_suppressions_have_a_reason_and_a_date():
    assert suppressions(SUPPRESSIONS.read_text())
