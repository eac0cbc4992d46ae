"""The packages of `deploy/packaging/build.sh`: what is in them, what they need, and that they run."""

import gzip
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import sys
import tarfile

import pytest
import trustme

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
sys.path.insert(0, str(ROOT / "tests" / "deploy"))

import clean_debian  # noqa: E402
from fake_s3 import FakeS3, tree_store  # noqa: E402
from fake_s3.server import ACCESS_KEY, SECRET_KEY  # noqa: E402

PACKAGES = os.environ.get("PENATES_PACKAGES")
pytestmark = pytest.mark.skipif(
    PACKAGES is None, reason="PENATES_PACKAGES names no folder of packages")
ARCHES = {"amd64": ("x86_64", "Advanced Micro Devices X86-64"), "arm64": ("aarch64", "AArch64")}
# Ubuntu 22.04, Amazon Linux 2023, EL 9 and Debian 12 have 2.35, 2.34, 2.34 and 2.36.
GLIBC_MAX = (2, 34)
PROGRAMS = {"usr/bin/penates"} | {
    f"usr/lib/penates/{name}"
    for name in ("data-disk", "user-data", "cassandra-config", "ssm", "restore-table")}
CONFIGURATION = ["/etc/penates/penates.conf", "/etc/penates/verify.conf"]
FILES = PROGRAMS | {
    "etc/penates/penates.conf",
    "etc/penates/verify.conf",
    "usr/lib/systemd/system/penates-restore.service",
    "usr/lib/systemd/system/cassandra-data-disk.service",
    "usr/lib/systemd/system/penates-verify.service",
    "usr/lib/systemd/system/penates-verify.timer",
    "usr/lib/systemd/system/cassandra.service.d/10-penates.conf",
    "usr/share/bash-completion/completions/penates",
    "usr/share/zsh/site-functions/_penates",
    "usr/share/man/man1/penates.1.gz",
    "usr/share/lintian/overrides/penates",
    "usr/share/doc/penates/README.md",
    "usr/share/doc/penates/changelog.gz",
    "usr/share/doc/penates/copyright",
    "usr/share/doc/penates/examples/cloud-config.yaml",
    "usr/share/doc/penates/examples/user-data.sh",
} | {f"usr/share/doc/penates/{path.name}" for path in (ROOT / "deploy/docs").glob("*.md")} | {
    f"usr/share/doc/penates/schema/{path.name}" for path in (ROOT / "deploy/schema").glob("*")} | {
    f"usr/share/doc/penates/ssm/{path.name}" for path in (ROOT / "deploy/ssm").glob("*.yaml")}


def run(*args, **options):
    return subprocess.run([str(arg) for arg in args], capture_output=True, text=True, check=True,
                          **options).stdout


def package(arch, kind):
    names = {"deb": f"penates_*_{arch}.deb", "rpm": f"penates-*.{ARCHES[arch][0]}.rpm",
             "tgz": f"penates-*-linux-{ARCHES[arch][0]}.tar.gz"}
    (path,) = pathlib.Path(PACKAGES).glob(names[kind])
    return path


def deb_members(path):
    """name -> (mode, owner) of the files."""
    rows = [line.split(maxsplit=5) for line in run("dpkg-deb", "-c", path).splitlines()]
    return {row[5].removeprefix("./"): (row[0], row[1]) for row in rows if row[0][0] != "d"}


@pytest.fixture(scope="module", params=sorted(ARCHES))
def tree(request, tmp_path_factory):
    """(architecture, unpacked deb)"""
    folder = tmp_path_factory.mktemp(request.param)
    run("dpkg-deb", "-x", package(request.param, "deb"), folder)
    return request.param, folder


@pytest.mark.parametrize("arch", sorted(ARCHES))
def test_all_three_hold_the_same(arch, tmp_path):
    members = deb_members(package(arch, "deb"))
    assert members.keys() == FILES
    for name, (mode, owner) in members.items():
        assert (mode, owner) == ("-rwxr-xr-x" if name in PROGRAMS else "-rw-r--r--", "root/root")
    rpm = run("rpm", "-qp", "--qf", "[%{FILEMODES:perms} %{FILEUSERNAME} %{FILENAMES}\n]",
              package(arch, "rpm"))
    rows = [line.split() for line in rpm.splitlines()]
    assert {row[2][1:]: row[0] for row in rows if row[0][0] != "d"} == {
        name: mode for name, (mode, _) in members.items()}
    assert {row[1] for row in rows} == {"root"}
    with tarfile.open(package(arch, "tgz")) as tar:
        found = {m.name.partition("/")[2]: m for m in tar.getmembers() if m.isfile()}
    assert found.keys() == FILES


@pytest.mark.parametrize("arch", sorted(ARCHES))
def test_what_they_need(arch):
    deb, rpm = package(arch, "deb"), package(arch, "rpm")
    assert run("dpkg-deb", "-f", deb, "Depends").strip() == "libc6 (>= 2.34), libgcc-s1"
    assert run("dpkg-deb", "-f", deb, "Architecture").strip() == arch
    needs = {line for line in run("rpm", "-qp", "--requires", rpm).splitlines()
             if not line.startswith("rpmlib(")}
    assert needs == {"glibc >= 2.34", "libgcc"}
    assert run("rpm", "-qp", "--qf", "%{ARCH}", rpm) == ARCHES[arch][0]


@pytest.mark.parametrize("arch", sorted(ARCHES))
def test_nothing_is_run_or_overwritten_by_an_installation(arch, tmp_path):
    control = tmp_path / "control"
    run("dpkg-deb", "-e", package(arch, "deb"), control)
    assert {path.name for path in control.iterdir()} == {"control", "md5sums", "conffiles"}
    assert (control / "conffiles").read_text() == "".join(f"{path}\n" for path in CONFIGURATION)
    assert run("rpm", "-qp", "--scripts", package(arch, "rpm")) == ""
    assert run("rpm", "-qpc", package(arch, "rpm")).split() == CONFIGURATION
    flags = run("rpm", "-qp", "--qf", "[%{FILEFLAGS:fflags} %{FILENAMES}\n]", package(arch, "rpm"))
    assert {f"cn {path}" for path in CONFIGURATION} <= set(flags.splitlines())


@pytest.mark.parametrize("arch", sorted(ARCHES))
def test_lintian_has_nothing_to_say(arch):
    result = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning",
                             package(arch, "deb")], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


def test_the_program_fits_the_oldest_system(tree):
    arch, folder = tree
    program = folder / "usr/bin/penates"
    assert f"Machine:                           {ARCHES[arch][1]}" in run("readelf", "-h", program)
    dynamic = run("readelf", "-d", program)
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
    assert {name for name in needed if not name.startswith("ld-linux")} == {
        "libc.so.6", "libm.so.6", "libgcc_s.so.1"}
    assert "BIND_NOW" in dynamic and "RUNPATH" not in dynamic and "RPATH" not in dynamic
    versions = {tuple(map(int, version.split("."))) for version in re.findall(
        r"GLIBC_(\d+\.\d+)", run("readelf", "--version-info", "-W", program))}
    assert max(versions) <= GLIBC_MAX
    assert "not stripped" not in run("file", program)


def test_what_is_linked_is_told(tree):
    """And is what was pinned."""
    arch, folder = tree
    emulator = [] if arch == "amd64" else ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"]
    told = run(*emulator, folder / "usr/bin/penates", "--version").splitlines()[1]
    pins = dict(line.split()[1:3] for line in
                (ROOT / "deploy/packaging/static-libs.pins").read_text().splitlines()
                if line and not line.startswith("#"))
    for name, pin in (("libcurl", "curl"), ("OpenSSL", "libssl-dev"), ("snappy", "libsnappy-dev"),
                      ("libxml2", "libxml2"), ("yajl", "libyajl-dev"), ("libyaml", "libyaml-dev")):
        version = re.search(rf"(?:^|, ){name} ([0-9.]+)", told)[1]
        assert re.match(rf"(\d+:)?{re.escape(version)}[+-]", pins[pin]), (name, version, pins[pin])


def test_it_restores(tree, tmp_path):
    """On arm64 in an emulator."""
    arch, folder = tree
    emulator = [] if arch == "amd64" else ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"]
    run(*emulator, folder / "usr/bin/penates", "restore", ROOT / "tests/data/priam-v2/bucket/backup",
        "--into", tmp_path / "data", env={"PENATES_CONFIG": "/dev/null"})
    assert len(list((tmp_path / "data").rglob("*-Data.db"))) > 10


def test_the_man_page_is_ours(tree):
    _, folder = tree
    page = gzip.decompress((folder / "usr/share/man/man1/penates.1.gz").read_bytes())
    assert page == (ROOT / "deploy/penates.1").read_bytes()


def complete(folder, *words):
    """What bash would offer for the last word."""
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _penates; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    return run("bash", "-c", script, "-", folder / "usr/share/bash-completion/completions/penates",
               *words, env={"PATH": f"{folder / 'usr/bin'}:{os.environ['PATH']}"}).split()


def test_completion_knows_every_command_and_option(tree):
    arch, folder = tree
    if arch != "amd64":
        pytest.skip("asks the program, which does not run here")
    penates = folder / "usr/bin/penates"
    commands = complete(folder, "penates", "")
    assert {"list", "plan", "restore", "verify", "ring", "help"} <= set(commands)
    rings = complete(folder, "penates", "ring", "")
    assert rings == ["plan", "status", "claim"]
    for command in [*(c for c in commands if c not in ("ring", "help")),
                    *(f"ring {one}" for one in rings)]:
        told = run(penates, "help", *command.split()).split("Examples:")[0]
        options = set(re.findall(r"^  (?:-\w, )?(--[a-z0-9-]+)", told, re.M))
        assert set(complete(folder, "penates", *command.split(), "--")) == options, command
    assert complete(folder, "penates", "restore", "--apply") == ["--apply-yaml"]
    if shutil.which("zsh"):
        run("zsh", "-n", folder / "usr/share/zsh/site-functions/_penates")


@pytest.fixture(scope="module")
def clean_root(tmp_path_factory):
    """A Debian of nothing but its base, with the package installed."""
    if os.geteuid() != 0:
        pytest.skip("a clean root needs root")
    with clean_debian.debootstrapped(tmp_path_factory.mktemp("clean") / "root") as root:
        yield root


def inside(root, *args, env=None):
    return subprocess.run(["chroot", root, *args], capture_output=True, text=True, check=False,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                               **(env or {})})


def test_it_runs_in_a_clean_root(clean_root):
    shutil.copytree(ROOT / "tests/data/priam-v2/bucket", clean_root / "bucket")
    result = inside(clean_root, "penates", "restore", "/bucket/backup", "--into", "/data")
    assert result.returncode == 0, result.stderr
    assert (clean_root / "data/.penates/restored").exists()
    assert inside(clean_root, "dpkg", "--verify", "penates").stdout == ""


@pytest.mark.parametrize("place", ["etc/ssl/certs/ca-certificates.crt",
                                   "etc/pki/tls/certs/ca-bundle.crt"])
def test_certificates_are_found_where_the_distribution_has_them(clean_root, place):
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1"}
    with FakeS3(tree_store(ROOT / "tests/data/priam-v2"), tls=tls) as server:
        words = ("penates", "list", "s3://backups/backup", "--endpoint", server.endpoint,
                 "--path-style", "--retry-for", "0s")
        refused = inside(clean_root, *words, env=keys)
        assert refused.returncode == 69, refused.stderr
        (clean_root / place).parent.mkdir(parents=True, exist_ok=True)
        authority.cert_pem.write_to_path(str(clean_root / place))
        try:
            trusted = inside(clean_root, *words, env=keys)
            assert trusted.returncode == 0, trusted.stderr
        finally:
            (clean_root / place).unlink()


def test_the_package_goes_and_leaves_what_was_configured(clean_root):
    conf = clean_root / "etc/penates/penates.conf"
    conf.write_text("into = /data\n")
    again = inside(clean_root, "dpkg", "--force-confold", "-i", "/penates.deb")
    assert again.returncode == 0, again.stderr
    assert conf.read_text() == "into = /data\n"
    assert inside(clean_root, "dpkg", "-r", "penates").returncode == 0
    assert conf.exists() and not (clean_root / "usr/bin/penates").exists()
    assert inside(clean_root, "dpkg", "-P", "penates").returncode == 0
    assert not conf.exists()
