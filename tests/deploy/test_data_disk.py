"""data-disk on files for disks: the real blkid and mkfs.xfs; mount, mountpoint and mdadm are told
apart by what they are called with."""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy" / "systemd" / "data-disk"
STORE, EBS = "nvme-Amazon_EC2_NVMe_Instance_Storage_", "nvme-Amazon_Elastic_Block_Store_"
SIZE = 320 << 20  # the smallest XFS that mkfs.xfs makes is of 300 MiB
FAKES = {"mount": 'echo "$@" >>"$CALLS"', "mountpoint": 'exit "${MOUNTED:-1}"',
         "mdadm": 'echo "mdadm $*" >>"$CALLS"; truncate -s 400M "$DATA_DISK_ARRAY"',
         "chown": ":", "id": "exit 1"}


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


class Machine:
    def __init__(self, home):
        self.home, self.by_id = home, home / "by-id"
        for name in ("by-id", "bin", "disks"):
            (home / name).mkdir()
        for name, text in FAKES.items():
            (home / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
            (home / "bin" / name).chmod(0o755)

    def disk(self, link, content=b""):
        path = self.home / "disks" / f"disk{len(list((self.home / 'disks').iterdir()))}"
        with open(path, "wb") as file:
            file.write(content)
            file.truncate(SIZE)
        (self.by_id / link).symlink_to(path)
        return path

    def run(self, **extra):
        (self.home / "calls").write_text("")
        env = {"PATH": f"{self.home}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "CALLS": f"{self.home}/calls",
               "DATA_DISK_MOUNT": f"{self.home}/mnt", "DATA_DISK_BY_ID": str(self.by_id),
               "DATA_DISK_ARRAY": f"{self.home}/md", "DATA_DISK_WAIT": "0",
               "STATE_DIRECTORY": f"{self.home}/state", **extra}
        result = subprocess.run([SCRIPT], env=env, capture_output=True, text=True, check=False)
        return result.returncode, result.stderr, (self.home / "calls").read_text().splitlines()

    @property
    def noted(self):
        return (self.home / "state" / "uuid").read_text().strip()


def tag(path, name):
    return subprocess.run(["blkid", "-p", "-o", "value", "-s", name, path], capture_output=True,
                          text=True, check=False).stdout.strip()


def content(path):
    """The blocks of a sparse file that are written."""
    return subprocess.run(["sha256sum", path], capture_output=True, check=True).stdout


def test_scripts_are_posix():
    for script in (SCRIPT, ROOT / "deploy/user-data/user-data", ROOT / "deploy/user-data/user-data.sh"):
        assert script.read_text().startswith("#!/bin/sh\n") and os.access(script, os.X_OK)
        assert subprocess.run(["shellcheck", script],
                              check=False).returncode == 0


def test_a_blank_volume_is_formatted_once(machine):
    disk = machine.disk(EBS + "vol0123")
    code, err, calls = machine.run()
    assert code == 0, err
    assert (tag(disk, "TYPE"), tag(disk, "LABEL"), tag(disk, "UUID")) == (
        "xfs", "cassandra", machine.noted)
    assert calls == [f"-t xfs -o noatime,nodev,nosuid {disk} {machine.home}/mnt"]
    before = content(disk)
    assert machine.run()[0] == 0  # the next boot
    assert content(disk) == before


def test_the_store_wins_over_a_volume_and_partitions_are_left_alone(machine):
    root = machine.disk(EBS + "vol0root")
    (machine.by_id / (EBS + "vol0root-part1")).symlink_to(root)
    store = machine.disk(STORE + "AWS1")
    (machine.by_id / (STORE + "AWS1_1")).symlink_to(store)  # udev names a disk twice
    code, err, calls = machine.run()
    assert code == 0, err
    assert str(store) in calls[0] and tag(root, "TYPE") == ""


def test_a_store_that_is_blank_again_gets_a_new_file_system(machine):
    disk = machine.disk(STORE + "AWS1")
    assert machine.run()[0] == 0
    first = machine.noted
    disk.unlink()
    with open(disk, "wb") as file:
        file.truncate(SIZE)
    assert machine.run()[0] == 0
    assert machine.noted == tag(disk, "UUID") != first


def test_the_volume_of_another_node_is_refused(machine, tmp_path_factory):
    other = Machine(tmp_path_factory.mktemp("other"))
    theirs = other.disk(EBS + "vol0002")
    assert other.run()[0] == 0
    machine.disk(EBS + "vol0001")
    assert machine.run()[0] == 0
    (machine.by_id / (EBS + "vol0001")).unlink()
    (machine.by_id / (EBS + "vol0002")).symlink_to(theirs)
    before = content(theirs)
    code, err, calls = machine.run()
    assert code == 78 and "the volume of another node" in err
    assert calls == [] and content(theirs) == before


def test_a_volume_outlives_its_instance(machine, tmp_path_factory):
    disk = machine.disk(EBS + "vol0001")
    assert machine.run()[0] == 0
    replacement = Machine(tmp_path_factory.mktemp("replacement"))
    (replacement.by_id / (EBS + "vol0001")).symlink_to(disk)
    assert replacement.run()[0] == 0
    assert replacement.noted == machine.noted


@pytest.mark.parametrize("what", ["ext4", "bytes", "late bytes", "foreign xfs"])
def test_what_is_not_blank_is_never_formatted(machine, what):
    disk = machine.disk(EBS + "vol0001", {"bytes": b"not known to blkid",
                                          "late bytes": bytes(1 << 19) + b"x"}.get(what, b""))
    if what == "ext4":
        subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True)
    elif what == "foreign xfs":
        subprocess.run(["mkfs.xfs", "-q", "-L", "backups", disk], check=True)
    before = content(disk)
    code, err, calls = machine.run()
    assert code == 78 and "neither blank nor" in err
    assert calls == [] and content(disk) == before


def test_several_volumes_want_a_name(machine):
    machine.disk(EBS + "vol0001")
    wanted = machine.disk(EBS + "vol0002")
    code, err, _ = machine.run()
    assert code == 78 and "name one with DATA_DISK_VOLUME" in err
    code, err, calls = machine.run(DATA_DISK_VOLUME="vol-0002")
    assert code == 0, err
    assert str(wanted) in calls[0]


def test_several_blank_stores_become_one_array(machine):
    disks = [machine.disk(STORE + f"AWS{i}") for i in range(3)]
    code, err, calls = machine.run()
    assert code == 0, err
    assert calls[0] == (f"mdadm --create {machine.home}/md --run --homehost=any --level=0 "
                        f"--raid-devices=3 {' '.join(map(str, disks))}")
    assert tag(machine.home / "md", "UUID") == machine.noted


def test_half_an_array_is_refused(machine):
    machine.disk(STORE + "AWS0")
    machine.disk(STORE + "AWS1", b"something")
    code, err, calls = machine.run()
    assert code == 78 and "some of" in err and calls == []


def test_no_disk_and_a_mounted_one(machine):
    code, err, _ = machine.run()
    assert code == 69 and "no disk" in err
    assert machine.run(MOUNTED="0")[0] == 0


def test_a_crash_before_the_file_system_is_made_is_no_other_node(machine):
    disk = machine.disk(STORE + "AWS1")
    shutil.copy("/bin/false", machine.home / "bin" / "mkfs.xfs")
    assert machine.run()[0] != 0
    (machine.home / "bin" / "mkfs.xfs").unlink()
    assert machine.run()[0] == 0
    assert tag(disk, "UUID") == machine.noted
