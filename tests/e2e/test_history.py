"""The stamp on the root volume, and a restore under systemd's eyes."""

import json
import os
import shutil
import subprocess

import pytest
from conftest import BINARY, environment, penates, sha256_tree, source_args
from fake_s3 import FakeS3
from small_backup import standard


@pytest.fixture(scope="module")
def small():
    with FakeS3(standard().store) as server:
        yield server


@pytest.fixture
def node(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path


def restore(server, node, *args, ring="ring-1", **options):
    return penates("restore", *source_args(server), "--into", node / "data", "--history",
                   node / "root", "--restore-id", ring, *args, **options)


def write_yaml(node):
    (node / "cassandra.yaml").write_text("cluster_name: 'other'\n")
    return node / "cassandra.yaml"


def test_a_reboot_finds_nothing_to_do_and_asks_nobody(small, node):
    assert restore(small, node).code == 0
    stamp = json.loads((node / "root" / "history").read_text())
    assert stamp["restore"] == json.loads((node / "data/.penates/restored").read_text())["restore"]
    assert stamp["target"] == str(node / "data")
    before = len(small.requests), sha256_tree(node / "data"), sha256_tree(node / "root")
    again = restore(small, node)
    assert again.code == 0, again.err
    assert (len(small.requests), sha256_tree(node / "data"), sha256_tree(node / "root")) == before


def test_a_volume_lost_after_go_live_is_not_filled_again(small, node):
    assert restore(small, node).code == 0
    shutil.rmtree(node / "data")
    (node / "data").mkdir()  # an instance store, made anew after a stop
    lost = restore(small, node)
    assert lost.code == 78, lost.err
    assert "its data is gone" in lost.error and "replace_address_first_boot" in lost.error
    assert not any((node / "data").iterdir())
    (node / "root" / "history").rename(node / "moved")
    assert restore(small, node).code == 0  # on purpose


def test_a_volume_that_came_with_its_data_is_taken(small, node):
    assert restore(small, node).code == 0
    (node / "root" / "history").unlink()  # another instance's root volume
    assert restore(small, node).code == 0
    assert (node / "root" / "history").exists()


def test_plan_and_doctor_see_what_a_restore_does(small, node):
    """All three go by one configuration file."""
    (node / "conf").write_text(f"history = {node}/root\nrestore-id = ring-1\n")

    def run(command):
        return penates(command, *source_args(small), "--into", node / "data", "--config",
                       node / "conf")

    assert run("restore").code == 0
    for command in "plan", "doctor":
        result = run(command)
        assert result.code == 0, result.out + result.err
        assert "holds this restore already" in result.out + result.err
    shutil.rmtree(node / "data")
    for command in "restore", "plan", "doctor":
        result = run(command)
        assert result.code == 78, result.out + result.err
        assert "its data is gone" in result.out + result.err


def test_the_volume_of_another_node_is_refused(small, node):
    assert restore(small, node, ring="ring-2").code == 0
    before = sha256_tree(node)
    (node / "root" / "history").unlink()
    other = restore(small, node)
    assert other.code == 78, other.err
    assert "holds another restore, finished" in other.error
    assert not (node / "root" / "history").exists()
    assert {name for name in before if not name.startswith("root/")} == set(sha256_tree(node))


def test_other_data_is_refused(small, node):
    (node / "data" / "ks").mkdir(parents=True)
    (node / "data" / "ks" / "mine").write_text("mine")
    assert restore(small, node).code == 78
    assert (node / "data" / "ks" / "mine").read_text() == "mine"


def test_a_table_brought_back_by_hand_does_not_stop_the_next_boot(small, node):
    assert restore(small, node).code == 0
    by_hand = penates("restore", *source_args(small), "--into", node / "data", "--include",
                      "ks.users", "--replace", "ks.users")
    assert by_hand.code == 0, by_hand.err
    boot = restore(small, node)
    assert boot.code == 0, boot.err


def test_what_a_boot_does_beside_the_data_is_its_own(small, node):
    """cassandra.yaml and --after go by the boot's own journal and marks, not those of by hand."""
    yaml = write_yaml(node)
    tells, fails = node / "tells.sh", node / "fails.sh"
    tells.write_text(f"#!/bin/sh\necho told >>{node}/told\n")
    fails.write_text(f"#!/bin/sh\necho tried >>{node}/tried\ntest -e {node}/up\n")
    for script in tells, fails:
        script.chmod(0o755)

    def boot():
        return restore(small, node, "--apply-yaml", yaml, "--after", tells, "--after", fails)

    assert boot().code == 75  # its second command has not succeeded yet
    (node / "data" / "ks" / ("people-" + 32 * "1")).mkdir()
    by_hand = penates("restore", *source_args(small), "--into", node / "data", "--include",
                      "ks.users", "--as", "ks.people")
    assert by_hand.code == 0, by_hand.err
    applied, tree = yaml.read_text(), sha256_tree(node / "data")
    write_yaml(node)  # the image's, on a new root volume
    (node / "up").touch()
    for _ in range(2):
        again = boot()
        assert again.code == 0, again.err
        assert "already restored" in again.err
        assert yaml.read_text() == applied
        assert sha256_tree(node / "data") == tree
    assert (node / "told").read_text() == "told\n"
    assert (node / "tried").read_text() == "tried\ntried\n"
    assert not (node / "data" / ".penates" / "after").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_leaves_the_node_what_is_the_nodes(small, node):
    """The next boot runs as cassandra, and has to be able to read and write all of it."""
    (node / "data").mkdir()
    os.chown(node / "data", 4242, 4243)
    os.chown(node / "root", 4242, 4243)
    assert restore(small, node).code == 0
    by_hand = penates("restore", *source_args(small), "--into", node / "data", "--include",
                      "ks.users", "--replace", "ks.users")
    assert by_hand.code == 0, by_hand.err
    made = [*(node / "data").rglob("*"), *(node / "root").rglob("*")]
    assert len(made) > 30
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in made}
    assert owners == {(4242, 4243)}


def test_a_table_left_half_brought_back_does_not_stop_the_next_boot(small, node):
    assert restore(small, node, "--apply-yaml", write_yaml(node)).code == 0
    by_hand = penates("restore", *source_args(small), "--into", node / "data", "--include",
                      "ks.users", "--as", "ks.nowhere")
    assert by_hand.code == 78, by_hand.err
    boot = restore(small, node, "--apply-yaml", node / "cassandra.yaml")
    assert boot.code == 0, boot.err


def test_no_folder_for_the_stamp_is_told_before_anything_is_fetched(small, node):
    (node / "root").rmdir()
    result = restore(small, node)
    assert result.code == 73, result.err
    assert "--history" in result.error and not (node / "data").exists()


@pytest.mark.parametrize("name", ["", "../up", ".hidden", "a b", "$(reboot)", "x" * 129])
def test_a_name_that_is_none(small, node, name):
    result = restore(small, node, ring=name)
    assert result.code == 64, result.err
    assert "--restore-id" in result.error


def under_journal(small, node, matches):
    """Lines as they reach a journal whose socket stderr is, or is said to be."""
    reader, writer = os.pipe()
    stat = os.fstat(writer)
    stream = f"{stat.st_dev}:{stat.st_ino if matches else stat.st_ino + 1}"
    command = [BINARY, "restore", *source_args(small), "--into", str(node / "journal" / stream)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=writer,
                               env=environment(JOURNAL_STREAM=stream))
    os.close(writer)
    with os.fdopen(reader) as file:
        lines = file.read().splitlines()
    assert process.wait(60) == 0, lines
    return lines


def test_the_journal_gets_priorities_and_no_status_line(small, node):
    lines = under_journal(small, node, True)
    assert lines and all(line.startswith("<6>penates: ") for line in lines), lines
    assert not any("\r" in line or "\033" in line for line in lines)
    assert all(line.startswith("penates: ") for line in under_journal(small, node, False))
