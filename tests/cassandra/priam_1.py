"""Priam 1.1.56 by its own classes (priam1/): backup of a running node into a server of
real_servers, and restore from there.

    with Priam1(tmp, node, "prod", token) as priam:
        priam.run("snapshot")                   its name is the minute of the clock, UTC
        priam.run("incremental")                what is in backups/, under each file's minute
        priam.run("restore", "START,END", data=FOLDER)
        penates restore <*priam.source> ... env=priam.env

It signs with version 2 and wants each part's MD5 as its ETag. Swift does both, but takes 0.15 s an
object where MiniStack takes 0.03 s, whose root keys skip the check of the signature and so let
version 2 in; penates has other keys. Priam 1.1.56 cannot back up a table with a secondary index:
its files lie in a folder of their own, which it takes for a file.
"""

import os
import pathlib
import subprocess
import time

from java_projects import class_path
from node import java

from real_servers import MiniStack

# Its Cassandra 1.1 opens files by a private field and has JMX URLs that today's JNDI refuses; its
# snappy-java 1.0.4.1 puts classes into the system's class loader.
OPTIONS = ["--add-opens", "java.base/java.io=ALL-UNNAMED",
           "--add-opens", "java.base/java.lang=ALL-UNNAMED",
           "-Xmx512M", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Duser.timezone=UTC",
           "-Dcom.sun.jndi.rmiURLParsing=legacy"]
RUN_S = 400


class Priam1:
    def __init__(self, folder, node, cluster, token):
        self.folder, self.node = pathlib.Path(folder), node
        self.cluster, self.token = cluster, token

    def __enter__(self):
        self.folder.mkdir()
        self._server = MiniStack(self.folder)
        server = self._server.__enter__()
        self.source = [f"s3://{server.bucket}/backup", "--endpoint", server.endpoint,
                       "--path-style"]
        self.env = {"AWS_ACCESS_KEY_ID": server.access_key,
                    "AWS_SECRET_ACCESS_KEY": server.secret_key}
        self._environment = {
            "PATH": os.environ["PATH"], "ENDPOINT": server.endpoint, "BUCKET": server.bucket,
            "ACCESS_KEY": server.ROOT[0], "SECRET_KEY": server.ROOT[1],
            "CLUSTER": self.cluster, "TOKEN": str(self.token)}
        return self

    def __exit__(self, *what):
        self._server.__exit__(*what)

    def keys(self):
        pages = self._server.client().get_paginator("list_objects_v2")
        return [entry["Key"] for page in pages.paginate(Bucket=self._server.bucket)
                for entry in page.get("Contents", [])]

    def run(self, command, *args, data=None):
        """Returns the seconds that it took."""
        environment = self._environment | {"DATA": str(data or self.node.data_dirs[0])}
        if data is None:
            environment["JMX"] = str(self.node.jmx_port)
        began = time.monotonic()
        done = subprocess.run(
            [java(), *OPTIONS, "-cp", class_path("priam1"), "penates.priam1.Driver", command,
             *args], env=environment, cwd=self.folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=RUN_S, check=False)
        said = done.stdout[-6000:] + done.stderr[-6000:]
        assert done.returncode == 0, f"Priam's {command} ended with {done.returncode}:\n{said}"
        return time.monotonic() - began
