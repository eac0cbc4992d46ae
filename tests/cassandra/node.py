"""One Cassandra node on a loopback address: written, started, asked and ended.

    node = Node(tmp / "n1", "4.1", address(1), "prod", tokens=[-3074457345618258603])
    node.start()
    node.session().execute("SELECT ...")
    node.nodetool("flush")
    node.stop()

A node is a folder: conf/, data/ (or data0/, data1/, ...), commitlog/, hints/, saved_caches/, logs/.
It is known by its process id, and ends with this process at the latest. Addresses come from a
subnet of the process (127.x.y.0/24), so that runs side by side do not meet; all nodes of a run use
the same ports, as those of one cluster must.
"""

import atexit
import functools
import itertools
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time

from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import WhiteListRoundRobinPolicy
from cassandra.query import tuple_factory

import jars
from jars import VERSIONS  # noqa: F401  (for those who import this module)

STORAGE_PORT, CQL_PORT = 17000, 19042  # below the ports that the kernel hands out
START_S, STOP_S, TOOL_S = 180, 90, 180

# The one ERROR of a sound start: 3.11 looks for a class that JDK 17 does not have.
HARMLESS = ("Cannot initialize un-mmaper",)

# What Cassandra's own jvm17-server.options opens, which its jars need from Java 17 on.
EXPORTS = """java.base/jdk.internal.misc java.base/jdk.internal.ref java.base/sun.nio.ch
java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry
java.rmi/sun.rmi.server java.sql/java.sql""".split()
OPENS = """java.base/java.lang.module java.base/java.net java.base/jdk.internal.loader
java.base/jdk.internal.ref java.base/jdk.internal.reflect java.base/jdk.internal.math
java.base/jdk.internal.module java.base/jdk.internal.util.jar
jdk.management/com.sun.management.internal java.base/sun.nio.ch java.base/java.io
java.base/java.lang java.base/java.lang.reflect java.base/java.lang.ref java.base/java.math
java.base/java.nio java.base/java.nio.charset java.base/java.time java.base/java.util
java.base/java.util.concurrent java.base/java.util.concurrent.atomic
java.base/java.util.concurrent.locks java.rmi/sun.rmi.transport.tcp""".split()

LOGBACK = """<configuration scan="false">
  <appender name="F" class="ch.qos.logback.core.FileAppender">
    <file>${cassandra.logdir}/system.log</file>
    <encoder><pattern>%-5level [%thread] %date{ISO8601} %F:%L - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="F"/></root>
</configuration>
"""
LOGBACK_TOOLS = """<configuration>
  <appender name="E" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder><pattern>%-5level %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="E"/></root>
</configuration>
"""


class CassandraError(Exception):
    """A node did not start, or a tool failed; the text has what it said."""


def subnet():
    pid = os.getpid()
    return f"127.{16 + pid // 250 % 200}.{1 + pid % 250}"


def address(number):
    """The run's own loopback address of this number, 1 to 254."""
    return f"{subnet()}.{number}"


@functools.cache
def java():
    """A Java 17: PENATES_JAVA, the packages' usual places, or what is on the PATH."""
    found = shutil.which("java")
    for path in (os.environ.get("PENATES_JAVA"),
                 *map(str, pathlib.Path("/usr/lib/jvm").glob("java-17-openjdk*/bin/java")), found):
        if path and os.access(path, os.X_OK):
            said = subprocess.run([path, "-version"], capture_output=True, text=True, check=True)
            if re.search(r'version "17\.', said.stderr):
                return path
    raise CassandraError("no Java 17: run deploy/deps.sh --cassandra, or name it in PENATES_JAVA")


def module_options():
    options = ["-Djdk.attach.allowAttachSelf=true"]
    for name in EXPORTS:
        options += ["--add-exports", f"{name}=ALL-UNNAMED"]
    for name in OPENS:
        options += ["--add-opens", f"{name}=ALL-UNNAMED"]
    return options


def free_port(host):
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def tail(path, lines=60):
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return f"({path.name} does not exist)"


def wait_for_index(session, keyspace, index, timeout_s=60):
    """Until Cassandra says that the index is built: one without files is built at the start, while
    queries are answered already."""
    end = time.monotonic() + timeout_s
    asked = 'SELECT index_name FROM system."IndexInfo" WHERE table_name = %s'
    while (index,) not in list(session.execute(asked, (keyspace,))):
        if time.monotonic() > end:
            raise CassandraError(f"the index {keyspace}.{index} was not built in {timeout_s} s")
        time.sleep(0.1)


_processes = set()


@atexit.register
def _end_all():
    for process in _processes:
        if process.poll() is None:
            process.kill()


class Node:
    """tokens: integers or None; seeds: addresses, default the node itself; data_dirs: how many;
    yaml: settings that replace or join those of _settings() (None leaves one out)."""

    def __init__(self, folder, version, address, cluster, *, tokens=None, num_tokens=1, seeds=None,
                 data_dirs=1, yaml=None, heap="512M"):
        self.folder = pathlib.Path(folder).resolve()
        self.version, self.full_version = version, VERSIONS[version]
        self.address, self.cluster, self.heap = address, cluster, heap
        self.process = None
        self._clusters, self._sessions = {}, {}
        names = ["data"] if data_dirs == 1 else [f"data{i}" for i in range(data_dirs)]
        self.data_dirs = [self.folder / name for name in names]
        self.conf = self.folder / "conf"
        self.log = self.folder / "logs" / "system.log"
        self.yaml = self.conf / "cassandra.yaml"
        self.jars = jars.fetch(version)
        for path in (self.conf, self.log.parent, *self.data_dirs):
            path.mkdir(parents=True, exist_ok=True)
        (self.conf / "logback.xml").write_text(LOGBACK)
        (self.conf / "logback-tools.xml").write_text(LOGBACK_TOOLS)
        settings = self._settings(tokens, num_tokens, seeds or [address]) | (yaml or {})
        # A JSON value is a YAML value.
        self.yaml.write_text("".join(f"{name}: {json.dumps(value)}\n"
                                     for name, value in settings.items() if value is not None))

    def _settings(self, tokens, num_tokens, seeds):
        return {
            "cluster_name": self.cluster,
            "num_tokens": len(tokens) if tokens else num_tokens,
            "initial_token": ",".join(map(str, tokens)) if tokens else None,
            "auto_bootstrap": False,
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
            "data_file_directories": [str(path) for path in self.data_dirs],
            "commitlog_directory": str(self.folder / "commitlog"),
            "saved_caches_directory": str(self.folder / "saved_caches"),
            "hints_directory": str(self.folder / "hints"),
            "cdc_raw_directory": str(self.folder / "cdc_raw"),
            "seed_provider": [{"class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                               "parameters": [{"seeds": ",".join(seeds)}]}],
            "listen_address": self.address,
            "rpc_address": self.address,
            "storage_port": STORAGE_PORT,
            "ssl_storage_port": STORAGE_PORT + 1,
            "native_transport_port": CQL_PORT,
            "start_native_transport": True,
            "endpoint_snitch": "SimpleSnitch",
            # The names with units in them are those that 3.11 to 5.0 all know.
            "commitlog_sync": "periodic",
            "commitlog_sync_period_in_ms": 10000,
            "commitlog_segment_size_in_mb": 8,
            "commitlog_total_space_in_mb": 128,
            "incremental_backups": True,
            "snapshot_before_compaction": False,
            "auto_snapshot": False,
            "disk_failure_policy": "stop",
            "concurrent_reads": 8,
            "concurrent_writes": 8,
            "concurrent_counter_writes": 8,
            "concurrent_compactors": 1,
            "memtable_allocation_type": "heap_buffers",
            "memtable_heap_space_in_mb": 128,
            "file_cache_size_in_mb": 64,
            "key_cache_size_in_mb": 8,
            "enable_materialized_views": True,
            "write_request_timeout_in_ms": 20000,
            "read_request_timeout_in_ms": 20000,
            "range_request_timeout_in_ms": 60000,
            "request_timeout_in_ms": 60000,
            "truncate_request_timeout_in_ms": 60000,
        }

    # Life

    @property
    def pid(self):
        return self.process.pid if self.running else None

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def _properties(self):
        return [f"-Dcassandra.config=file://{self.yaml}", f"-Dcassandra.storagedir={self.folder}",
                f"-Dcassandra.logdir={self.log.parent}"]

    def _command(self):
        self.jmx_port = free_port("127.0.0.1")
        return [java(), f"-Xms{self.heap}", f"-Xmx{self.heap}", "-XX:+UseSerialGC", "-Xss512k",
                "-XX:TieredStopAtLevel=1", "-XX:+PerfDisableSharedMem",
                "-XX:MaxDirectMemorySize=256M", *module_options(),
                f"-javaagent:{next(self.jars.glob('jamm-*.jar'))}", *self._properties(),
                f"-Dlogback.configurationFile=file://{self.conf}/logback.xml",
                f"-Dcassandra.jmx.local.port={self.jmx_port}",
                "-Dcom.sun.management.jmxremote.authenticate=false",
                "-Djava.rmi.server.hostname=127.0.0.1", "-Djava.net.preferIPv4Stack=true",
                "-Dcassandra-foreground=yes", "-Dcassandra.skip_wait_for_gossip_to_settle=0",
                "-Dcassandra.ring_delay_ms=1000", "-Dcassandra.superuser_setup_delay_ms=0",
                "-Dcassandra.shutdown_announce_in_ms=0", f"-Dcassandra.triggers_dir={self.conf}",
                "-Dio.netty.eventLoopThreads=2", "-cp", f"{self.conf}:{self.jars}/*",
                "org.apache.cassandra.service.CassandraDaemon"]

    def launch(self):
        """Start without waiting; wait() must follow."""
        assert not self.running, f"{self.address} runs already"
        if self.log.exists():
            numbers = (n for n in itertools.count(1) if not self.log.with_suffix(f".{n}").exists())
            self.log.rename(self.log.with_suffix(f".{next(numbers)}"))
        with open(self.log.parent / "stdout", "wb") as out:
            self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT, start_new_session=True,
                                            cwd=self.folder)
        _processes.add(self.process)
        return self

    def wait(self, timeout_s=START_S):
        """Until the node answers CQL."""
        end = time.monotonic() + timeout_s
        while not self._answers():
            if not self.running:
                raise CassandraError(self._obituary("ended while it started"))
            if time.monotonic() > end:
                self.kill()
                raise CassandraError(self._obituary(f"did not start within {timeout_s} s"))
            time.sleep(0.1)
        return self

    def start(self, timeout_s=START_S):
        return self.launch().wait(timeout_s)

    def _answers(self):
        try:
            said = "Starting listening for CQL clients" in self.log.read_text(errors="replace")
            if said:
                socket.create_connection((self.address, CQL_PORT), 2).close()
            return said
        except OSError:
            return False

    def _obituary(self, what):
        return (f"Cassandra {self.full_version} in {self.folder} {what} "
                f"(exit {self.process.poll()})\n--- stdout\n{tail(self.log.parent / 'stdout')}\n"
                f"--- system.log\n{tail(self.log)}")

    def stop(self):
        """As an operator does: the shutdown hook syncs the commit log. Fine when it is not up."""
        self._end(signal.SIGTERM)

    def kill(self):
        self._end(signal.SIGKILL)

    def _end(self, sign):
        for cluster in self._clusters.values():
            cluster.shutdown()
        self._clusters, self._sessions = {}, {}
        if self.running:
            self.process.send_signal(sign)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise CassandraError(self._obituary(f"did not stop within {STOP_S} s")) from None

    def __enter__(self):
        return self if self.running else self.start()

    def __exit__(self, kind, *_):
        self.stop() if kind is None else self.kill()

    # Questions

    def log_errors(self):
        """What the log says at ERROR since the last start, but for what is harmless."""
        return [line for line in self.log.read_text(errors="replace").splitlines()
                if line.startswith("ERROR") and not any(text in line for text in HARMLESS)]

    def session(self, consistency=ConsistencyLevel.ONE):
        """A session that asks this node only; rows are tuples. It ends with the node."""
        if consistency not in self._clusters:
            profile = ExecutionProfile(
                load_balancing_policy=WhiteListRoundRobinPolicy([self.address]), request_timeout=60,
                consistency_level=consistency, row_factory=tuple_factory)
            self._clusters[consistency] = Cluster(
                [self.address], port=CQL_PORT, connect_timeout=30, protocol_version=4,
                execution_profiles={EXEC_PROFILE_DEFAULT: profile})
            self._sessions[consistency] = self._clusters[consistency].connect()
        return self._sessions[consistency]

    def table_dirs(self, keyspace, table):
        """The table's folders in the data directories, as NAME-<32 hex digits>."""
        name = re.compile(re.escape(table) + "-[0-9a-f]{32}")
        return sorted(path for data in self.data_dirs for path in (data / keyspace).glob("*")
                      if name.fullmatch(path.name))

    # Tools

    def _tool_command(self, folder, memory, cls, args, agent=()):
        return [java(), f"-Xmx{memory}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-XX:+PerfDisableSharedMem", *module_options(), *agent, *self._properties(),
                f"-Dlogback.configurationFile=file://{self.conf}/logback-tools.xml",
                "-cp", f"{self.conf}:{folder}/*", f"org.apache.cassandra.tools.{cls}",
                *map(str, args)]

    def _run(self, command, check, timeout_s):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout_s, cwd=self.folder, check=False)
        if check and done.returncode != 0:
            raise CassandraError(f"{' '.join(command[-12:])} ended with {done.returncode}\n"
                                 f"{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done

    def nodetool(self, *args, check=True, timeout_s=TOOL_S):
        """nodetool ARGS: its CompletedProcess. 3.11's own fails on a Java later than 8, so that of
        4.1 asks in its place (flush, snapshot, refresh, rebuild_index; not status or verify)."""
        return self._run(self._nodetool(args), check, timeout_s)

    def _nodetool(self, args):
        folder = jars.fetch("4.1") if self.version == "3.11" else self.jars
        return self._tool_command(folder, "128M", "NodeTool",
                                  ["-h", "127.0.0.1", "-p", self.jmx_port, *args])

    def tool(self, cls, *args, check=True, timeout_s=TOOL_S):
        """A class of org.apache.cassandra.tools with this node's configuration: BulkLoader
        (sstableloader), StandaloneVerifier, SSTableMetadataViewer, SSTableExport..."""
        return self._run(self._offline_tool(cls, args), check, timeout_s)

    def _offline_tool(self, cls, args):
        agent = [f"-javaagent:{next(self.jars.glob('jamm-*.jar'))}"]
        return self._tool_command(self.jars, "512M", cls, args, agent)

    def programs(self):
        """nodetool and sstableloader as files, for scripts that call them: their paths."""
        loader = self._offline_tool("BulkLoader", ["-f", self.yaml])
        paths = []
        for name, command in (("nodetool", self._nodetool([])), ("sstableloader", loader)):
            path = self.folder / name
            path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
            path.chmod(0o755)
            paths.append(path)
        return paths

    def verify(self, keyspace, *tables):
        """Every row of every SSTable of the tables, by the running node: CassandraError when one
        is not sound."""
        if self.version == "3.11":
            self._run([java(), str(jars.HERE / "Verify311.java"), str(self.jmx_port), keyspace,
                       *tables], True, TOOL_S)
        else:
            self.nodetool("verify", *self._force(), "-e", keyspace, *tables)

    def verify_offline(self, keyspace, table):
        """The same of one table by sstableverify; the node is stopped."""
        assert not self.running
        return self.tool("StandaloneVerifier", *self._force(), "-e", keyspace, table)

    def _force(self):
        """4.1 and 5.0 want to be forced to verify, since CASSANDRA-17017."""
        return ["-f"] if self.version in ("4.1", "5.0") else []
