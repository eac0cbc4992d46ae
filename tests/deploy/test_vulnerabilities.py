"""What is linked into the packages, and what the tests run with, has no known hole that a newer
version has closed. The data: the distribution's security archive for what is linked; for Python the
package index's advisories, where it has them, and what was yanked from it, which every one tells; for
the jars, which no source in reach has advisories of, whether a project has gone on within its line of
releases, which is where it closes holes. That says less, and is the most that is there to be said."""

import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import sysconfig

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PINS = ROOT / "deploy/packaging/static-libs.pins"
AUDIT = os.environ.get("PENATES_PIP_AUDIT")
SUPPRESSIONS = pathlib.Path(__file__).parent / "suppressions.tsv"
BUILT_FROM = {"curl": "libcurl4-openssl-dev", "libxml2": "libxml2-dev"}  # source -> what apt lists
# Linked from the compilers' own packages.
COMPILERS = ("libstdc++-12-dev", "libstdc++-12-dev-arm64-cross")
REQUIREMENTS = sorted(path for path in (ROOT / "tests").glob("**/*.txt")
                      if "data" not in path.parts
                      and re.search(r"^[\w.-]+==", path.read_text(), re.M))
POMS = sorted((ROOT / "tests").glob("**/pom.xml"))
CASSANDRAS = sorted(path.stem for path in (ROOT / "tests/cassandra/jars").glob("[0-9]*.sha256"))
VERSIONS = "org.codehaus.mojo:versions-maven-plugin:2.18.0:display-dependency-updates"
BEHIND = "behind"
BEHIND_MAX = 1  # patch releases: one that came out yesterday stops nobody's work


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


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_compiler_is_the_newest(archive, compiler):
    installed = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", compiler],
                               capture_output=True, text=True, check=True).stdout
    assert not is_older(installed, newest(compiler))


def audited(*what):
    """(ids, package) of every advisory that a newer version closes; None: the index has none."""
    result = subprocess.run(
        [AUDIT, *what, "-f", "json", "--progress-spinner", "off"], capture_output=True, text=True,
        check=False)
    assert result.returncode in (0, 1), result.stderr
    rows = json.loads(result.stdout)["dependencies"]
    assert rows
    if all("skip_reason" in row for row in rows):
        return None
    return [({found["id"], *found["aliases"]}, row["name"])
            for row in rows for found in row.get("vulns", []) if found["fix_versions"]]


def test_python_packages():
    if AUDIT is None:
        pytest.skip("PENATES_PIP_AUDIT names no pip-audit")
    assert ROOT / "tests/requirements.txt" in REQUIREMENTS
    reported = [audited("-r", path, "--no-deps", "--disable-pip") for path in REQUIREMENTS]
    reported.append(audited("--path", sysconfig.get_path("purelib")))  # with what those brought
    if None in reported:
        pytest.skip("this package index has no advisories")
    allowed = {key: day for key, day in suppressions(SUPPRESSIONS.read_text()).items()
               if key[0] != BEHIND}
    assert judge(sum(reported, []), allowed, datetime.date.today()) == []


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_python_package_was_yanked(path):
    if AUDIT is None:
        pytest.skip("asks the package index, as its stage does")
    result = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps",
         "-r", path], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "Would install" in result.stdout and "yanked" not in result.stderr + result.stdout


def behind(text):
    """({BEHIND}, package:version) of what is too far behind the newest release of its line."""
    rows = re.findall(r"(\S+:\S+) \.+\s+(\S+) -> (\S+)", text)
    assert len(rows) == text.count(" -> "), text

    def patch(version):
        return int(re.search(r"(\d+)(?:\.Final|-jre)?$", version)[1])

    return [({BEHIND}, f"{name}:{have}") for name, have, there in rows
            if patch(there) - patch(have) > BEHIND_MAX]


def test_what_is_behind_is_seen():
    text = "[INFO]   a.b:c ............ 4.1.8 -> 4.1.10\n[INFO]   a.b:d ... 1.2.3 -> 1.2.4\n"
    assert behind(text) == [({BEHIND}, "a.b:c:4.1.8")]
    with pytest.raises(AssertionError):
        behind("[INFO] a -> b")


def test_jars(tmp_path):
    """Of the projects that our poms name; what those bring along is theirs to answer for."""
    if AUDIT is None:
        pytest.skip("asks the package registry, as its stage does")
    assert len(CASSANDRAS) == 4
    texts = {}
    for path in POMS:
        text = path.read_text()
        names = CASSANDRAS if "${cassandra.version}" in text else [""]
        for name in names:
            texts[f"{path.parent.name}{name}"] = text.replace("${cassandra.version}", name)
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        artifact = f"<artifactId>{name}</artifactId>"  # no two of one project may share it
        text = re.sub(r"<artifactId>.*?</artifactId>", artifact, text, count=1)
        (tmp_path / name / "pom.xml").write_text(text)
    modules = "".join(f"<module>{name}</module>" for name in texts)
    (tmp_path / "pom.xml").write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>penates.tests</groupId>"
        "<artifactId>all</artifactId><version>1</version><packaging>pom</packaging>"
        f"<modules>{modules}</modules></project>")
    result = subprocess.run(
        ["mvn", "-B", "-ntp", "-f", tmp_path / "pom.xml", VERSIONS, "-DallowMajorUpdates=false",
         "-DallowMinorUpdates=false", "-DprocessDependencyManagement=false",
         "-Dversions.outputLineWidth=200"], capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL)
    assert result.returncode == 0, result.stdout[-2000:]
    allowed = {key: day for key, day in suppressions(SUPPRESSIONS.read_text()).items()
               if key[0] == BEHIND}
    assert judge(behind(result.stdout), allowed, datetime.date.today()) == []


def test_the_suppressions_have_a_reason_and_a_date():
    assert suppressions(SUPPRESSIONS.read_text())
