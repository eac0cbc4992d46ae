"""Penates beside the floor and its peers, on data made here, from a fast S3 server on loopback.

Every number printed was measured in this run: wall time, CPU seconds per GiB of plain bytes (the
client's own, children included), peak resident memory, requests that the server saw.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import snappy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from real_servers.process import Process, S3Server, free_port  # noqa: E402

GIB = 1 << 30
MEASURE = pathlib.Path(__file__).resolve().parent.parent / "measure.py"
MAGIC = b"\x82SNAPPY\x00" + (1).to_bytes(4, "big") * 2
CLUSTER, TOKEN, SECOND = "fake-app", "1808575600", 1700000000000
NODE = f"backup/1049_{CLUSTER}/{TOKEN}"
TABLE = "users-5a1c395eb41f11e6bb4d2d6e00000000"
COMPONENTS = ("Data.db", "Digest.crc32", "TOC.txt", "Index.db", "Filter.db", "Summary.db",
              "Statistics.db", "CompressionInfo.db")


def stream(plain):
    """As snappy-java writes it, by libsnappy."""
    out = [MAGIC]
    for at in range(0, len(plain), 32768):
        raw = snappy.compress(plain[at : at + 32768])
        out += [len(raw).to_bytes(4, "big"), raw]
    return b"".join(out)


class Backup:
    """One profile's objects: what the servers hold and what must come out."""

    def __init__(self, client, bucket):
        self.client, self.bucket = client, bucket
        self.components, self.plain_bytes, self.sums = [], 0, {}
        self.pool = ThreadPoolExecutor(8)
        self.pending = []

    def add(self, name, plain):
        key = f"{NODE}/SST_V2/{SECOND}/ks/{TABLE}/SNAPPY/PLAINTEXT/{name}"
        self.components.append((key, name, len(plain)))
        self.plain_bytes += len(plain)
        self.sums[name] = zlib.crc32(plain)
        body = stream(plain)
        self.pending.append(self.pool.submit(
            self.client.put_object, Bucket=self.bucket, Key=key, Body=body))
        if len(self.pending) > 64 or len(body) > 1 << 20:
            self.pending.pop(0).result()

    def add_sstable(self, generation, data, others=()):
        prefix = f"nb-{generation}-big-"
        names = ["Data.db", "Digest.crc32", "TOC.txt", "Index.db", *others]
        self.add(prefix + "Data.db", data)
        self.add(prefix + "Digest.crc32", str(zlib.crc32(data)).encode())
        self.add(prefix + "TOC.txt", "".join(n + "\n" for n in names).encode())
        for name in names[3:]:
            self.add(prefix + name, data[: min(len(data) // 2, 1 << 20) + len(name)])

    def seal(self, folder):
        for put in self.pending:
            put.result()
        sstables = {}
        for key, name, size in self.components:
            sstables.setdefault(name.rsplit("-", 1)[0], []).append({
                "fileName": name, "lastModifiedTime": SECOND, "fileCreationTime": SECOND,
                "fileSizeOnDisk": size, "compression": "SNAPPY", "encryption": "PLAINTEXT",
                "isUploaded": False, "backupPath": key})
        manifest = {"info": {"version": 1, "appName": CLUSTER, "region": "us-east-1",
                             "rack": "a", "backupIdentifier": [TOKEN]},
                    "data": [{"keyspaceName": "ks", "columnfamilyName": "users",
                              "sstables": [{"prefix": p, "sstableComponents": c}
                                           for p, c in sstables.items()]}]}
        self.client.put_object(
            Bucket=self.bucket,
            Key=f"{NODE}/META_V2/{SECOND + 5000}/SNAPPY/PLAINTEXT/meta_v2_202311142213.json",
            Body=stream(json.dumps(manifest).encode()))
        self.list = folder / "list.tsv"
        self.list.write_text("".join(f"{key}\t{name}\n" for key, name, _ in self.components))
        self.pool.shutdown()

    def check(self, out):
        for name, crc in self.sums.items():
            got = 0
            with open(out / name, "rb") as file:
                while piece := file.read(1 << 22):
                    got = zlib.crc32(piece, got)
            if got != crc:
                raise SystemExit(f"{out / name}: wrong bytes")


def compressible(size, seed):
    """Rows of text: Snappy makes about half of it."""
    chance = random.Random(seed)
    words = [chance.randbytes(chance.randint(3, 9)).hex() for _ in range(3000)]
    piece = " ".join(chance.choice(words) for _ in range(400_000)).encode()
    return (piece * (size // len(piece) + 1))[:size]


def incompressible(size, seed):
    piece = random.Random(seed).randbytes(min(size, 64 << 20))
    return (piece * (size // len(piece) + 1))[:size]


def profile_large(backup, size, make):
    for generation in range(1, 5):
        backup.add_sstable(generation, make(size // 4, generation))


def profile_small(backup, size, _):
    count = max(8, 20_000 * size // GIB)
    for generation in range(1, count // len(COMPONENTS) + 1):
        data = random.Random(generation).randbytes(2000 + generation % 2000)
        backup.add_sstable(generation, data, COMPONENTS[4:])


PROFILES = {
    "large-compressible": lambda b, s: profile_large(b, s, compressible),
    "large-incompressible": lambda b, s: profile_large(b, s, incompressible),
    "small": lambda b, s: profile_small(b, s, None),
    "huge": lambda b, s: b.add_sstable(1, incompressible(s, 7)),
}


class VersityGateway(S3Server):
    """The fastest of the servers that were measured; counts requests in its access log."""

    access_key, secret_key = "benchaccess", "benchsecret"

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.log = self.folder / "access.log"
        data = self.folder / "objects"
        data.mkdir()
        self.process = Process(
            ["versitygw", "--port", f"127.0.0.1:{self.port}", "--keep-alive", "--quiet",
             "--access-log", str(self.log), "posix", str(data)], self.folder / "server.log",
            {"ROOT_ACCESS_KEY": self.access_key, "ROOT_SECRET_KEY": self.secret_key})
        self.process.wait_for_port(self.port)
        return self

    def __exit__(self, *_):
        self.process.stop()

    def requests(self):
        time.sleep(0.3)  # the log is written behind the answers
        return sum(1 for _ in open(self.log)) if self.log.exists() else 0


class Delay:
    """Toxiproxy before the server: every answer is later by so many milliseconds."""

    def __init__(self, folder, upstream, ms):
        self.folder, self.upstream, self.ms = folder, upstream, ms

    def __enter__(self):
        import urllib.request

        api, port = free_port(), free_port()
        self.process = Process(["toxiproxy-server", "-host", "127.0.0.1", "-port", str(api)],
                               self.folder / "proxy.log")
        self.process.wait_for_port(api)
        for path, body in (
                ("/proxies", {"name": "s3", "listen": f"127.0.0.1:{port}",
                              "upstream": f"127.0.0.1:{self.upstream}", "enabled": True}),
                ("/proxies/s3/toxics", {"type": "latency", "stream": "downstream",
                                        "attributes": {"latency": self.ms}})):
            request = urllib.request.Request(f"http://127.0.0.1:{api}{path}",
                                             json.dumps(body).encode(), method="POST")
            urllib.request.urlopen(request).read()
        self.port, self.endpoint = port, f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_):
        self.process.stop()


NGINX = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log nginx.log;
events {{ worker_connections 4096; }}
http {{
    access_log seen.log;
    split_clients $request_id $refused {{ {share} * 0; }}
    upstream store {{ server 127.0.0.1:{upstream}; keepalive 512; }}
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port};
        keepalive_requests 1000000;
        location / {{
            if ($refused) {{ return 503; }}
            proxy_pass http://store;
            proxy_http_version 1.1;
            proxy_max_temp_file_size 0;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""


class Refusing:
    """nginx before the server: so many requests of a hundred, by chance, are answered 503."""

    def __init__(self, folder, upstream, percent):
        self.folder, self.upstream, self.percent = folder / f"nginx-{percent}", upstream, percent

    def __enter__(self):
        self.folder.mkdir()
        port = free_port()
        (self.folder / "nginx.conf").write_text(NGINX.format(
            share=f"{self.percent}% 1;" if self.percent else "", upstream=self.upstream, port=port))
        self.process = Process(["nginx", "-p", str(self.folder), "-c", "nginx.conf", "-e",
                                "nginx.log"], self.folder / "output.log")
        self.process.wait_for_port(port)
        self.endpoint = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_):
        self.process.stop()

    def requests(self):
        time.sleep(0.3)
        return sum(1 for _ in open(self.folder / "seen.log"))


def measure(steps, env, folder):
    """(wall seconds, CPU seconds, peak bytes) of commands run one after the other."""
    wall, cpu, peak = 0.0, 0.0, 0
    for step in steps:
        cost = folder / "cost.json"
        done = subprocess.run([sys.executable, MEASURE, cost, *map(str, step)],
                              env={**os.environ, **env}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{step[0]} ended with {done.returncode}: "
                             f"{done.stderr[-2000:].decode()}")
        spent = json.loads(cost.read_text())
        wall += spent["wall_s"]
        cpu += spent["cpu_s"]
        peak = max(peak, spent["rss_bytes"])
    return wall, cpu, peak


class Contest:
    def __init__(self, args, folder, server):
        self.args, self.folder, self.server = args, folder, server
        self.bench = pathlib.Path(__file__).resolve().parent
        self.env = {"ACCESS_KEY": server.access_key, "SECRET_KEY": server.secret_key,
                    "AWS_ACCESS_KEY_ID": server.access_key,
                    "AWS_SECRET_ACCESS_KEY": server.secret_key, "AWS_REGION": "us-east-1"}

    def steps(self, who, backup, endpoint, raw, out, connections):
        bucket, floor = backup.bucket, self.args.floor
        if who == "floor":
            return [[floor, "get", connections, f"{endpoint}/{bucket}", backup.list, out]]
        if who.startswith("penates"):
            threads = ["--threads", "1"] if who == "penates-1" else []
            return [[self.args.penates, "restore", f"s3://{bucket}/backup", "--endpoint", endpoint,
                     "--path-style", "--into", out, "--layout", "loader", "-q", *threads]]
        decode = [floor, "decode", os.cpu_count(), raw, self.folder / "names.tsv", out]
        names = [line.split("\t")[1] for line in backup.list.read_text().splitlines()]
        (self.folder / "names.tsv").write_text("".join(f"{n}\t{n}\n" for n in names))
        if who == "awscrt":
            return [[sys.executable, self.bench / "awscrt_get.py", endpoint, bucket, backup.list,
                     raw], decode]
        # Tuned as its documentation advises for many and for large objects.
        remote = (f":s3,provider=Other,env_auth,endpoint='{endpoint}',region=us-east-1:"
                  f"{bucket}/{NODE}/SST_V2/{SECOND}/ks/{TABLE}/SNAPPY/PLAINTEXT")
        return [["rclone", "copy", remote, raw, "--transfers", connections, "--checkers", "16",
                 "--fast-list", "--multi-thread-streams", "8", "--config", "/dev/null"], decode]

    def run(self, who, backup, endpoint, connections, server=None):
        server = server or self.server
        raw, out = self.folder / "raw", self.folder / "out"
        for place in (raw, out):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
        before = server.requests()
        wall, cpu, peak = measure(self.steps(who, backup, endpoint, raw, out, connections),
                                  self.env, self.folder)
        asked = server.requests() - before
        backup.check(out / "ks" / "users" if who.startswith("penates") else out)
        return wall, cpu / (backup.plain_bytes / GIB), peak, asked


def contestants(profile):
    names = ["floor", "penates", "awscrt", "rclone"]
    return names[:2] + ["penates-1"] + names[2:] if profile == "huge" else names


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--penates", required=True)
    parser.add_argument("--floor", required=True)
    parser.add_argument("--gib", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delay-ms", type=int, default=30)
    parser.add_argument("--folder", default="/dev/shm")
    parser.add_argument("--profiles", default=",".join(PROFILES))
    parser.add_argument("--only", default="")
    parser.add_argument("--refuse", action="store_true",
                        help="Penates only: quiet, and with --refuse-percent answered 503")
    parser.add_argument("--refuse-percent", type=float, default=5)
    args = parser.parse_args()
    print(f"{os.cpu_count()} cores, {args.gib} GiB plain a profile, best of {args.rounds} rounds, "
          f"data and target in {args.folder}", flush=True)
    print(f"{'profile':22}{'delay':>7}  {'who':10}{'wall s':>8}{'CPU s/GiB':>11}{'RSS MiB':>9}"
          f"{'requests':>10}")
    for profile in args.profiles.split(","):
        with tempfile.TemporaryDirectory(dir=args.folder) as name:
            folder = pathlib.Path(name)
            with VersityGateway(folder) as server:
                bench_profile(args, folder, server, profile)


def bench_profile(args, folder, server, profile):
    server.client().create_bucket(Bucket=server.bucket)
    backup = Backup(server.client(), server.bucket)
    PROFILES[profile](backup, int(args.gib * GIB))
    backup.seal(folder)
    contest = Contest(args, folder, server)
    if args.refuse:
        bench_refused(args, folder, contest, backup, profile)
        return
    with Delay(folder, server.port, args.delay_ms) as delayed:
        for delay, endpoint, connections in ((0, server.endpoint, 16),
                                             (args.delay_ms, delayed.endpoint, 64)):
            for who in contestants(profile):
                if args.only and who not in args.only.split(","):
                    continue
                rounds = [contest.run(who, backup, endpoint, connections)
                          for _ in range(args.rounds)]
                wall, cpu, peak, asked = min(rounds)
                print(f"{profile:22}{delay:>4} ms  {who:10}{wall:8.2f}{cpu:11.2f}"
                      f"{peak / (1 << 20):9.0f}{asked:10}", flush=True)


def bench_refused(args, folder, contest, backup, profile):
    """Quiet and refused in turn, so that what else the machine does meets both."""
    with Delay(folder, contest.server.port, args.delay_ms) as delayed:
        for delay, port in ((0, contest.server.port), (args.delay_ms, delayed.port)):
            place = folder / f"{delay}-ms"
            place.mkdir()
            with Refusing(place, port, 0) as quiet, \
                    Refusing(place, port, args.refuse_percent) as refused:
                rounds = [[contest.run("penates", backup, front.endpoint, 64, front)
                           for front in (quiet, refused)] for _ in range(args.rounds)]
            times = [min(run[side][0] for run in rounds) for side in (0, 1)]
            asked = [max(run[side][3] for run in rounds) for side in (0, 1)]
            print(f"{profile:22}{delay:>4} ms  quiet {times[0]:.2f} s, {asked[0]} requests; "
                  f"{args.refuse_percent:g} % refused {times[1]:.2f} s, {asked[1]} requests; "
                  f"{times[1] / times[0]:.2f} x the time, {asked[1] / asked[0]:.2f} x the requests; "
                  f"all rounds {[[round(r[0], 2) for r in run] for run in rounds]}", flush=True)


main()
