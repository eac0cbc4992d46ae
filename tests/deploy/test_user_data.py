"""User data as cloud-init would run it: in a root of its own, with a fake IMDS and a fake S3."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY, HERE = ROOT / "deploy", ROOT / "tests" / "deploy"
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "e2e")]

from fake_s3 import FakeS3, Fault  # noqa: E402
from fake_s3.imds import FakeIMDS  # noqa: E402
from small_backup import TOKEN, standard  # noqa: E402

BINARY = os.environ.get("PENATES", str(ROOT / "build" / "agent" / "penates"))
KEYS = ("ASIAUSERDATA0000000", "user-data-secret-never-to-be-seen", "user-data-token-never-to-be-seen")
PASSWD = "root:x:0:0::/root:/bin/sh\ncassandra:x:64001:64001::/var/lib/cassandra:/bin/sh\n"
GROUP = "root:x:0:\ncassandra:x:64001:\n"
YAML = "cluster_name: 'drill'\nnum_tokens: 16\n# initial_token:\nseed_provider: []\n"
HOSTILE = ["$(touch /tmp/harm)", "`touch /tmp/harm`", "x; touch /tmp/harm", "' ; touch /tmp/harm '",
           '" ; touch /tmp/harm "', "a & touch /tmp/harm", "%n%s ${IFS} \\ *"]
HARM = "\n[ ! -e /tmp/harm ] || echo harmed >>/var/log/harm\n"  # to be run after what may do it

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes mount namespaces")


class Node:
    """A machine: a root volume that stays, a data volume that may not, and boots."""

    def __init__(self, home, s3, imds, debian=None):
        """`debian`: a root with the package installed, and nothing but the distribution's else."""
        self.home, self.s3, self.imds = home, s3, imds
        self.root, self.volume = home / "root", home / "volume"
        self.usr = "/usr" if debian is None else debian / "usr"
        for path in (home / "work", home / "layer/bin", self.volume / "data"):
            path.mkdir(parents=True)
        shutil.copy(HERE / "fake_systemctl.sh", home / "layer/bin/systemctl")
        if debian is None:
            self.install_by_hand(home / "layer")
        else:
            shutil.copytree(debian, self.root, symlinks=True, ignore=lambda folder, names: (
                {"usr", "dev", "proc", "sys"} if folder == str(debian) else ()))
        (self.root / "etc/cassandra").mkdir(parents=True)
        (self.root / "var/log").mkdir(parents=True, exist_ok=True)
        for name, text in (("passwd", PASSWD), ("group", GROUP), ("cassandra/cassandra.yaml", YAML),
                           ("priam.properties", f"priam.s3.bucket={s3.bucket}\n")):
            (self.root / "etc" / name).write_text(text)
        self.image_enables_the_unit()
        self.own_volume()

    def install_by_hand(self, layer):
        (layer / "lib/penates").mkdir(parents=True)
        shutil.copy(BINARY, layer / "bin/penates")
        shutil.copy(DEPLOY / "systemd/data-disk", layer / "lib/penates/data-disk")
        shutil.copy(DEPLOY / "user-data/user-data", layer / "lib/penates/user-data")
        shutil.copytree(DEPLOY / "systemd", layer / "lib/systemd/system",
                        ignore=shutil.ignore_patterns("data-disk"))
        (self.root / "etc").mkdir(parents=True)
        for name in ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"):
            source = pathlib.Path("/etc") / name
            if source.is_dir():
                shutil.copytree(source, self.root / "etc" / name, symlinks=True)
            elif source.exists():
                shutil.copy(source, self.root / "etc" / name)

    def image_enables_the_unit(self):
        wants = self.root / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        (wants / "penates-restore.service").symlink_to(
            "/usr/lib/systemd/system/penates-restore.service")

    def replace_root(self):
        """Another instance of the same image takes the data volume."""
        shutil.rmtree(self.root / "var/lib/penates")
        shutil.rmtree(self.root / "etc/penates")
        (self.root / "etc/cassandra/cassandra.yaml").write_text(YAML)
        (self.root / "etc/cassandra/cassandra.yaml.before-penates").unlink()

    def own_volume(self):
        for path in (self.volume, self.volume / "data"):
            os.chown(path, 64001, 64001)

    def lose_volume(self):
        shutil.rmtree(self.volume)
        (self.volume / "data").mkdir(parents=True)
        self.own_volume()

    def start(self, *command):
        """Whoever kills it kills all that runs in there, at once, as a power cut does."""
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
               "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.imds.endpoint, "CLEAN_USR": str(self.usr)}
        return subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", HERE / "clean_root.sh",
             self.home, *command], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)

    def run(self, *command, text=None):
        with self.start(*command) as process:
            try:
                out, err = process.communicate(text, timeout=120)
            finally:
                process.kill()
        for secret in KEYS[1:]:
            assert secret not in out + err + self.log("unit")
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def boot(self, user_data=None):
        """The units of the image, then, on a first boot, user data."""
        script = "systemctl boot\n" + ("" if user_data is None else user_data)
        return self.run("/bin/sh", "-eu", text=script)

    def log(self, name):
        path = self.root / "var/log" / name
        return path.read_text() if path.exists() else ""

    @property
    def is_up(self):
        """Whether Cassandra was started by what ran last, which forgets."""
        log = self.log("systemctl")
        (self.root / "var/log/systemctl").unlink(missing_ok=True)
        return "cassandra is up" in log

    def parameters(self, **more):
        """Of this backup: what stands between the marks of user-data.sh."""
        values = {"priam-properties": "/etc/priam.properties", "endpoint": self.s3.endpoint,
                  "path-style": "true", "region": "us-east-1", "into": "/var/lib/cassandra/data",
                  "apply-yaml": "/etc/cassandra/cassandra.yaml", **more}
        return "".join(f"{name} = {value}\n" for name, value in values.items())

    def stamp(self):
        return json.loads((self.volume / "data/.penates/restored").read_text())


def shell_form(parameters):
    """user-data.sh with other values, by nothing but its marks."""
    text = (DEPLOY / "user-data/user-data.sh").read_text()
    head, rest = text.split("<<'PENATES_PARAMETERS'\n")
    return f"{head}<<'PENATES_PARAMETERS'\n{parameters}PENATES_PARAMETERS\n" + rest.split(
        "PENATES_PARAMETERS\n")[1]


@pytest.fixture
def node(tmp_path):
    with FakeS3(standard().store) as s3, FakeIMDS(KEYS) as imds:
        s3.keys[KEYS[0]] = (KEYS[1], KEYS[2], None)
        yield Node(tmp_path, s3, imds)


@needs_root
def test_from_an_empty_instance_to_the_stamp(node):
    result = node.boot(shell_form(node.parameters()))
    assert result.returncode == 0, result.stderr + node.log("unit")
    assert node.stamp()["nodes"][0]["token"] == TOKEN, node.log("unit")
    assert node.is_up
    history = node.root / "var/lib/penates/history"
    assert json.loads(history.read_text())["restore"] == node.stamp()["restore"]
    assert history.stat().st_uid == 64001  # run as Cassandra's user
    assert f"initial_token: {TOKEN}" in (node.root / "etc/cassandra/cassandra.yaml").read_text()
    assert 'penates_success{command="restore"} 1' in (
        node.root / "var/lib/penates/penates.prom").read_text()
    assert any("security-credentials" in path for _, path in node.imds.requests)


@needs_root
def test_reboots_and_the_same_user_data_again_change_nothing(node):
    script = shell_form(node.parameters())
    assert node.boot(script).returncode == 0
    assert node.is_up
    stamp, asked = node.stamp(), len(node.s3.requests)
    for user_data in (None, script, None):
        result = node.boot(user_data)
        assert result.returncode == 0, result.stderr
        assert node.is_up
    assert node.stamp() == stamp and len(node.s3.requests) == asked


@needs_root
def test_a_store_lost_after_go_live_keeps_cassandra_down(node):
    assert node.boot(shell_form(node.parameters())).returncode == 0
    assert node.is_up
    node.lose_volume()
    node.boot()
    assert "failed penates-restore.service 78" in node.log("systemctl")
    assert not node.is_up and not any((node.volume / "data").iterdir())
    assert "its data is gone" in node.log("unit")


@needs_root
def test_the_volume_of_a_replaced_instance_is_taken(node):
    script = shell_form(node.parameters())
    assert node.boot(script).returncode == 0
    assert node.is_up
    stamp = node.stamp()
    node.replace_root()
    assert node.boot(script).returncode == 0
    assert node.is_up and node.stamp() == stamp
    assert (node.root / "var/lib/penates/history").exists()
    assert f"initial_token: {TOKEN}" in (node.root / "etc/cassandra/cassandra.yaml").read_text()


@needs_root
def test_the_volume_of_another_node_keeps_cassandra_down(node):
    assert node.boot(shell_form(node.parameters(**{"restore-id": "other"}))).returncode == 0
    assert node.is_up
    node.replace_root()
    node.boot(shell_form(node.parameters(**{"restore-id": "this"})))
    assert "failed penates-restore.service 78" in node.log("systemctl")
    assert "holds another restore, finished" in node.log("unit")
    assert not node.is_up
    assert (node.root / "etc/cassandra/cassandra.yaml").read_text() == YAML


@needs_root
def test_a_run_that_ended_in_the_middle_goes_on_after_the_next_boot(node):
    fault = Fault(key="nb-3-big-Data.db", times=None, status=503)
    node.s3.faults.append(fault)
    node.boot(shell_form(node.parameters(**{"retry-for": "1s"})))
    assert fault.used > 0 and not node.is_up, node.log("unit")
    assert (node.volume / "data/.penates/journal").exists()
    assert not (node.volume / "data/.penates/restored").exists()
    node.s3.faults.clear()
    assert node.boot().returncode == 0
    assert node.is_up and node.stamp()["files"] == 15, node.log("unit")


@needs_root
@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_is_never_run(node, value):
    node.boot(shell_form(node.parameters(cluster=value)) + HARM)
    assert not (node.root / "var/log/harm").exists()
    conf = (node.root / "etc/penates/penates.conf").read_text()
    assert f"cluster = {value}\n" in conf
    assert "failed penates-restore.service" in node.log("systemctl")  # there is no such cluster


@needs_root
def test_who_may_signal_is_told_to_the_unit_alone(node):
    """The URL of a wait condition is a secret; the group is the unit's."""
    conf = node.root / "etc/penates/penates.conf"
    for line, mode, group in (("wait-handle = https://bucket.example/key", 0o640, 64001),
                              ("into = /var/lib/cassandra/data", 0o644, 0)):
        node.run("/bin/sh", "-eu", text=f"echo '{line}' | /usr/lib/penates/user-data")
        status = conf.stat()
        assert conf.read_text() == line + "\n"
        assert (status.st_mode & 0o777, status.st_uid, status.st_gid) == (mode, 0, group)
    assert [path.name for path in conf.parent.iterdir()] == [conf.name]


@pytest.mark.parametrize("lines", ["no equals sign\n", "a = b\nRing = x\n", "a = b\x07\n", "= x\n"])
def test_what_is_no_configuration_is_refused(tmp_path, lines):
    conf = tmp_path / "penates.conf"
    conf.write_text("into = /old\n")
    result = subprocess.run([DEPLOY / "user-data/user-data"], input=lines, text=True, check=False,
                            capture_output=True, env={"PATH": "/usr/bin:/bin", "PENATES_CONF": str(conf)})
    assert result.returncode == 64 and "is not 'option = value'" in result.stderr
    assert conf.read_text() == "into = /old\n" and list(tmp_path.iterdir()) == [conf]


def test_cloud_config_is_valid_and_says_what_the_script_says():
    path = DEPLOY / "user-data/cloud-config.yaml"
    result = subprocess.run(["cloud-init", "schema", "--config-file", path], capture_output=True,
                            text=True, check=False)
    assert result.returncode == 0, result.stderr
    config = yaml.safe_load(path.read_text())
    # The schema takes a misspelt top-level key for one of somebody else's.
    assert set(config) == {"write_files", "bootcmd", "runcmd"}
    (conf,) = [file["content"] for file in config["write_files"]
               if file["path"] == "/etc/penates/penates.conf"]
    script = (DEPLOY / "user-data/user-data.sh").read_text()
    assert f"<<'PENATES_PARAMETERS'\n{conf}PENATES_PARAMETERS\n" in script
    assert ["systemctl", "enable", "penates-restore.service"] in config["bootcmd"]
    assert ["systemctl", "start", "--no-block", "penates-restore.service"] in config["runcmd"]
    assert max(p.stat().st_size for p in (path, DEPLOY / "user-data/user-data.sh")) < 16 * 1024


def test_cloud_init_would_say_what_is_wrong(tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("#cloud-config\nwrite_files: no list\n")
    assert subprocess.run(["cloud-init", "schema", "--config-file", wrong], capture_output=True,
                          check=False).returncode != 0
