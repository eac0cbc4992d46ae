"""An instance from its first boot on, with cloud-init itself: it is given user data, and everything
after that is what the image, the package and the units do. On this machine's programs, and, where
PENATES_PACKAGES has a package, on a Debian of debootstrap's into which that was installed."""

import shutil
import time

import pytest
import yaml
from clean_debian import PACKAGES, debootstrapped
from test_user_data import (DEPLOY, HARM, HOSTILE, KEYS, TOKEN, YAML, FakeIMDS, FakeS3, Fault, Node, needs_root,
                            shell_form, standard)

pytestmark = needs_root
# The modules that user data of ours has to do with, in their order; what else a distribution has
# cloud-init do (users, keys, the network) is no matter of ours.
CLOUD = {"datasource_list": ["NoCloud"], "network": {"config": "disabled"}, "users": [],
         "system_info": {"distro": "debian"}, "cloud_init_modules": ["bootcmd", "write_files"],
         "cloud_config_modules": ["runcmd"], "cloud_final_modules": ["scripts_user"]}
# cloud-init.service comes before the units of multi-user.target, its last stages after them.
BOOT = """
exec >>/var/log/boot 2>&1
cloud-init init --local
cloud-init init
systemctl boot
cloud-init modules --mode=config
cloud-init modules --mode=final
"""


class Instance(Node):
    """Boots as EC2 has it: user data and an instance id, whatever is on the volumes."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        shutil.rmtree(self.root / "etc/cloud", ignore_errors=True)
        (self.root / "etc/cloud").mkdir()
        (self.root / "etc/cloud/cloud.cfg").write_text(yaml.safe_dump(CLOUD))

    def give(self, user_data, instance):
        seed = self.root / "var/lib/cloud/seed/nocloud"
        seed.mkdir(parents=True, exist_ok=True)
        (seed / "meta-data").write_text(f"instance-id: {instance}\n")
        (seed / "user-data").write_text(user_data)

    def cloud_boot(self, user_data, instance="i-1", then=""):
        self.give(user_data, instance)
        result = self.run("/bin/sh", "-eu", text=BOOT + then)
        assert result.returncode == 0, result.stderr + self.log("boot") + self.log("unit")
        assert not any(secret in self.log("boot") for secret in KEYS[1:])

    def power_cut(self, user_data, when):
        """Boots, and ends everything in there once `when()`."""
        self.give(user_data, "i-1")
        deadline = time.monotonic() + 60
        with self.start("/bin/sh", "-eu") as process:
            process.stdin.write(BOOT)
            process.stdin.close()
            while not when():
                assert process.poll() is None and time.monotonic() < deadline, self.log("unit")
                time.sleep(0.05)
            process.kill()
            process.stderr.read()  # to its end, which is that of the last process

    def replace(self):
        """Another instance of the image gets the volume: nothing of the first root is left."""
        self.replace_root()
        shutil.rmtree(self.root / "var/lib/cloud")
        for name in ("systemctl", "unit"):
            (self.root / "var/log" / name).unlink(missing_ok=True)

    def history(self):
        return self.root / "var/lib/penates/history"


def cloud_form(parameters):
    """cloud-config.yaml with other values in the file that it writes."""
    config = yaml.safe_load((DEPLOY / "user-data/cloud-config.yaml").read_text())
    (file,) = config["write_files"]
    assert file["path"] == "/etc/penates/penates.conf"
    file["content"] = parameters
    return "#cloud-config\n" + yaml.safe_dump(config)


FORMS = {"cloud-config": cloud_form, "script": shell_form}


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A Debian with systemd, cloud-init and our package."""
    # python3-cffi-backend is what cloud-init needs by another name, which debootstrap does not see.
    with debootstrapped(tmp_path_factory.mktemp("image") / "root", "systemd", "cloud-init",
                        "python3-cffi-backend") as root:
        yield root


@pytest.fixture(params=["this machine", "package"])
def node(request, tmp_path):
    image = None
    if request.param == "package":
        if PACKAGES is None:
            pytest.skip("PENATES_PACKAGES names no folder of packages")
        image = request.getfixturevalue("image")
    elif PACKAGES is not None:
        pytest.skip("the package is what counts here")
    with FakeS3(standard().store) as s3, FakeIMDS(KEYS) as imds:
        s3.keys[KEYS[0]] = (KEYS[1], KEYS[2], None)
        yield Instance(tmp_path, s3, imds, debian=image)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_an_instance_to_its_stamp_and_through_its_life(node, form):
    user_data = FORMS[form](node.parameters())
    node.cloud_boot(user_data)
    assert node.is_up, node.log("unit")
    stamp = node.stamp()
    assert stamp["nodes"][0]["token"] == TOKEN
    assert node.history().stat().st_uid == 64001  # run as Cassandra's user
    assert (node.volume / "data/.penates/restored").stat().st_uid == 64001
    assert f"initial_token: {TOKEN}" in (node.root / "etc/cassandra/cassandra.yaml").read_text()
    assert 'penates_success{command="restore"} 1' in (
        node.root / "var/lib/penates/penates.prom").read_text()

    asked = len(node.s3.requests)
    node.cloud_boot(user_data)  # a reboot
    assert node.is_up and node.stamp() == stamp and len(node.s3.requests) == asked

    node.replace()
    node.cloud_boot(user_data, "i-2")
    assert node.is_up and node.stamp() == stamp and len(node.s3.requests) == asked
    assert node.history().exists()
    assert f"initial_token: {TOKEN}" in (node.root / "etc/cassandra/cassandra.yaml").read_text()

    node.lose_volume()  # a stop and a start of an instance store
    node.cloud_boot(user_data, "i-2")
    assert "failed penates-restore.service 78" in node.log("systemctl")
    assert not node.is_up and not any((node.volume / "data").iterdir())
    assert "its data is gone" in node.log("unit")


@pytest.mark.parametrize("form", sorted(FORMS))
def test_no_value_is_run(node, form):
    """They stop nothing but the restore."""
    options = ("cluster", "token", "restore-id", "profile", "role-arn", "external-id", "region")
    parameters = node.parameters(**dict(zip(options, HOSTILE, strict=True)))
    node.cloud_boot(FORMS[form](parameters), then=HARM)
    assert not (node.root / "var/log/harm").exists()
    assert (node.root / "etc/penates/penates.conf").read_text() == parameters
    assert "failed penates-restore.service 64" in node.log("systemctl") and not node.is_up


def test_the_power_goes_in_the_middle(node):
    """SIGKILL for everything at once, and what was written stays."""
    user_data = cloud_form(node.parameters())
    stall = Fault(key="nb-3-big-Data.db", times=None, stall_at=100)
    node.s3.faults.append(stall)
    node.power_cut(user_data, lambda: stall.used and (
        node.volume / "data/.penates/journal").exists())
    assert not (node.volume / "data/.penates/restored").exists() and not node.history().exists()
    assert not node.is_up
    node.s3.faults.clear()
    node.cloud_boot(user_data)
    assert node.is_up and node.stamp()["files"] == 15, node.log("unit")
    assert "continuing" in node.log("unit")
    assert (node.root / "etc/cassandra/cassandra.yaml").read_text() != YAML
