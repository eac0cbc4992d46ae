"""A node that ran before: its commit log would bring its rows back, and its cassandra.yaml has no
token yet."""

import re
import shutil

import pytest

import agent
import rows
from conftest import CHOSEN
from node import Node, address, wait_for_index
from test_fixtures import TOKEN, date_range, expected, serve, sums

BACKUP, POINT = "priam-v2", "p3"
# Every write is in the commit log when it is answered, so that a killed node has it there.
SYNCED = {"commitlog_sync": "batch", "commitlog_sync_batch_window_in_ms": 2,
          "commitlog_sync_period_in_ms": None}
LATE = "late@example.org"


def restore(node, *args):
    with serve(BACKUP, "directory") as (source, env):
        return agent.run("restore", *source, "--into", node.data_dirs[0], "--range",
                         date_range(BACKUP, POINT), *args, env=env)


def empty(path):
    shutil.rmtree(path)
    path.mkdir()


def late_rows(session):
    return list(session.execute('SELECT id FROM shop."Users" WHERE email = %s', (LATE,)))


def first_life(node):
    """Restored, written to, killed; its data are gone and its commit log is not."""
    done = restore(node)
    assert done.returncode == 0, done.stderr
    with node.start():
        session = node.session()
        some = session.execute('SELECT id FROM shop."Users" LIMIT 1').one()[0]
        session.execute('UPDATE shop."Users" SET email = %s WHERE id = %s', (LATE, some))
        node.kill()
    empty(node.data_dirs[0])


def forget_token(node):
    """As a fresh image has it: vnodes, no token, bootstrap."""
    text = re.sub(r"(?m)^initial_token: .*$", "# initial_token:", node.yaml.read_text())
    text = re.sub(r"(?m)^num_tokens: .*$", "num_tokens: 16", text)
    text = re.sub(r"(?m)^auto_bootstrap: .*\n", "", text)
    node.yaml.write_text(text)
    return text


@pytest.mark.skipif("4.1" not in CHOSEN, reason="the v2 backup is of Cassandra 4.1")
def test_an_earlier_life_does_not_come_back(tmp_path):
    node = Node(tmp_path / "n", "4.1", address(1), "another_cluster", tokens=[TOKEN], yaml=SYNCED)
    first_life(node)
    before = forget_token(node)
    commitlog = node.folder / "commitlog"
    logs = {path.name for path in commitlog.glob("CommitLog-*.log")}
    assert logs

    setup = ("--apply-yaml", node.yaml, "--cassandra-version", "4.1")
    refused = restore(node, *setup)
    assert refused.returncode == 78, refused.stderr
    assert str(commitlog) in refused.stderr
    assert node.yaml.read_text() == before
    done = restore(node, *setup, "--set-aside-stale")
    assert done.returncode == 0, done.stderr
    (aside,) = commitlog.glob("penates-set-aside-*")
    assert {path.name for path in aside.iterdir()} == logs
    with node.start():
        session = node.session()
        wait_for_index(session, "shop", "users_email_idx")
        assert rows.lines(sums(session)) == rows.lines(expected(BACKUP, POINT))
        assert late_rows(session) == []
        assert session.execute("SELECT tokens FROM system.local").one() == ({str(TOKEN)},)
        assert node.log_errors() == []
        node.stop()

    # And with the logs where they were, the row is back: the refusal has its reason.
    kept = [shutil.copy(path, tmp_path) for path in aside.iterdir()]
    empty(node.data_dirs[0])
    empty(commitlog)
    shutil.rmtree(node.folder / "saved_caches", ignore_errors=True)
    done = restore(node)
    assert done.returncode == 0, done.stderr
    for path in kept:
        shutil.copy(path, commitlog)
    with node.start():
        session = node.session()
        wait_for_index(session, "shop", "users_email_idx")
        assert len(late_rows(session)) == 1
