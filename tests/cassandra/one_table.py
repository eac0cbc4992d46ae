"""deploy/restore-table.sh against a node, with that node's own nodetool and sstableloader."""

import os
import pathlib
import subprocess
import sys

import agent
from node import CQL_PORT

SCRIPT = agent.ROOT / "deploy" / "restore-table.sh"


def work_folder(node):
    return node.folder.with_name(f"{node.folder.name}-errand")


def restore_table(node, source, table, *args, penates=()):
    """The finished script, whatever its exit code. It works in a folder beside the node's, for
    penates writes nothing below a running Cassandra's own."""
    folder = work_folder(node)
    folder.mkdir(exist_ok=True)
    nodetool, loader = node.programs()
    cqlsh = pathlib.Path(sys.executable).with_name("cqlsh")
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8",
           "PENATES": agent.BINARY, "NODETOOL": str(nodetool), "SSTABLELOADER": str(loader),
           "CQLSH": f"{cqlsh} --connect-timeout=30"}
    return subprocess.run([SCRIPT, source, table, "--host", node.address, "--port", str(CQL_PORT),
                           *map(str, args), "--", *map(str, penates)], cwd=folder, env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
                          check=False)
