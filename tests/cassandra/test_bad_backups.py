"""Backups that have something wrong with them, and what comes of it."""

import shutil

import pytest

import agent
import rows
import schema
from flavours import CHOSEN_FLAVOURS, at, check_life, new_backup, new_node, rfc3339

# Renumbering has to do with Cassandra's oldest and its usual numbers; UUIDs do not meet.
NUMBERED = [flavour for flavour in CHOSEN_FLAVOURS if flavour.version in ("3.11", "4.1")]


@pytest.mark.parametrize("flavour", NUMBERED, ids=lambda flavour: flavour.id)
def test_two_incarnations_of_a_node(flavour, tmp_path):
    """A node is replaced: same token, same tables, a fresh disk, so generations begin again. A
    restore of a time after that, from a snapshot before it, has the rows of both."""
    backup = new_backup(tmp_path / "backup", flavour)
    first = new_node(tmp_path / "n1", flavour, "source")
    with first.start():
        session = first.session()
        schema.create(session, flavour.version)
        rows.write(session, 0, 120)
        backup.snapshot(first, at(0))
        # What the other one will write: the sums that must come. Nothing earlier is changed, for
        # the other one has no earlier rows here, and could not take the old ones from the view.
        rows.write(session, 120, 200, delete=False)
        wanted = rows.sums(session)
    second = new_node(tmp_path / "n2", flavour, "source")
    for path in first.data_dirs[0].glob("system_schema/*"):
        shutil.copytree(path, second.data_dirs[0] / "system_schema" / path.name,
                        ignore=shutil.ignore_patterns("backups", "snapshots"))
    shutil.rmtree(first.folder)
    with second.start():
        rows.write(second.session(), 120, 200, delete=False)
        backup.incrementals(second, at(30))
    shutil.rmtree(second.folder)

    node = new_node(tmp_path / "n3", flavour, "another_cluster")
    with agent.serve(backup.folder) as (source, env):
        report = agent.restore(source, node.data_dirs, "--at", rfc3339(at(31)), env=env)
    assert [note for note in report["warnings"] if note["subject"].startswith(schema.KEYSPACE)
            and "numbers began anew" in note["why"]]
    check_life(node, wanted, 200)
