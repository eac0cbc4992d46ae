"""The backup of a node as Priam would have left it, made by the uploader at instants of the test's
choosing.

    backup = Backup(tmp / "backup", "v2", "prod", token, compress="IF_REQUIRED")
    backup.snapshot(node, at)         everything up to now, as a snapshot of that instant
    backup.incrementals(node, at)     what was flushed since, as incrementals of that instant
    penates restore <backup.tree> ...
    with backup.serve() as (source, env): penates restore <source> ...

Several Backups may share a folder: the nodes of a ring, two clusters in one bucket.

Instants. Priam's keys tell time by the mtimes of files. Waiting minutes for them would be dear, so
each file is stamped when a call first sees it, in snapshots/NAME or in backups/: its mtime becomes
the second of `at` with its own fraction of a second. It keeps that stamp in all later calls, for
the live file is the same inode. This is what a node shows that writes and flushes everything in
the second in which the backup begins:

- snapshot: v1 SNAP and META lie under at's minute, v2 META_V2 under at's second; the SST_V2 that it
  is the first to show, too;
- incrementals: SST lies under at's minute, SST_V2 under at's second. As in life the first call
  after a snapshot uploads again what the snapshot's flush left in backups/, under the snapshot's
  instant: v1 repeats these files as SST, v2 finds them there.

So what was written before a call is in the backup at its instant, and what was written after is
not: v1 compares minutes and leaves out the end of a range, v2 takes it in. Instants never go back,
and two snapshots differ in their minute, for so do their names.
"""

import contextlib
import datetime
import os
import pathlib
import tempfile

import uploader

from fake_s3 import tree_store
from real_servers import ALL

BASE = "backup"


class Backup:
    def __init__(self, folder, dialect, cluster, token, region="us-east-1", compress="ALL"):
        self.folder = pathlib.Path(folder)
        self.options = {"tree": self.folder, "dialect": dialect, "cluster": cluster,
                        "token": token, "region": region, "base": BASE, "compress": compress}
        self.tree = self.folder / "bucket" / BASE
        self._stamps = {}  # (device, inode) -> mtime in ns
        self._last = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
        self._names = set()

    def snapshot(self, node, at):
        """Flush, take a snapshot, upload all of it and its manifest, clear it."""
        at = self._instant(at)
        minute = f"{at:%Y%m%d%H%M}"
        name = minute if self.options["dialect"] == "v1" else f"snap_v2_{minute}"
        assert name not in self._names, f"a second snapshot in the minute {minute}"
        self._names.add(name)
        node.nodetool("snapshot", "-t", name)  # It flushes.
        self._stamp(node, at, f"snapshots/{name}")
        self._stamp(node, at, "backups")
        uploader.run("snapshot", name=name, instant=int(at.timestamp() * 1000),
                     data=node.data_dirs, **self.options)
        node.nodetool("clearsnapshot", "-t", name)

    def incrementals(self, node, at):
        """Flush, upload what is in backups/, and remove it there."""
        at = self._instant(at)
        node.nodetool("flush")
        self._stamp(node, at, "backups")
        uploader.run("incrementals", delete=True, data=node.data_dirs, **self.options)

    @contextlib.contextmanager
    def serve(self, kind="ministack"):
        """In a server of real_servers: penates' source arguments, and its environment."""
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            with ALL[kind](pathlib.Path(folder)) as server:
                server.fill(tree_store(self.folder))
                yield ([f"s3://{server.bucket}/{BASE}", "--endpoint", server.endpoint,
                        "--path-style"],
                       {"AWS_ACCESS_KEY_ID": server.access_key,
                        "AWS_SECRET_ACCESS_KEY": server.secret_key})

    def _instant(self, at):
        at = at.astimezone(datetime.timezone.utc)
        assert at >= self._last, "instants do not go back"
        self._last = at
        return at

    def _stamp(self, node, at, where):
        second = int(at.timestamp()) * 10**9
        for data in node.data_dirs:
            for folder in data.glob(f"*/*/{where}"):
                for path in folder.rglob("*"):
                    facts = path.stat()
                    file = (facts.st_dev, facts.st_ino)
                    if path.is_file() and self._stamps.get(file) != facts.st_mtime_ns:
                        stamp = second + facts.st_mtime_ns % 10**9
                        os.utime(path, ns=(stamp, stamp))
                        self._stamps[file] = path.stat().st_mtime_ns
