"""OpenStack Swift with its s3api: four servers and memcached, one device, one replica."""

import subprocess

from .process import Process, S3Server, free_port, tool

HASHES = "[swift-hash]\nswift_hash_path_prefix = penates\nswift_hash_path_suffix = penates\n"

STORAGE = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
devices = {devices}
mount_check = false
swift_dir = {conf}
user = {user}
workers = 0
log_address = /dev/null
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""

PROXY = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {conf}
user = {user}
workers = 0
log_address = /dev/null
[pipeline:main]
pipeline = catch_errors cache s3api tempauth slo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcache}
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
location = us-east-1
dns_compliant_bucket_names = false
[filter:tempauth]
use = egg:swift#tempauth
user_t_u = penates-swift-secret .admin
[filter:slo]
use = egg:swift#slo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
"""


class Swift(S3Server):
    access_key = "t:u"
    secret_key = "penates-swift-secret"

    def __init__(self, folder):
        self.folder = folder
        self.processes = []

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        import getpass

        ports = {kind: free_port() for kind in
                 ("account", "container", "object", "proxy", "memcache")}
        conf, devices = self.folder / "conf", self.folder / "devices"
        (devices / "d1").mkdir(parents=True)
        conf.mkdir()
        (conf / "swift.conf").write_text(HASHES)
        names = {"conf": conf, "devices": devices, "user": getpass.getuser(),
                 "memcache": ports["memcache"]}
        for kind in ("account", "container", "object"):
            builder = str(conf / f"{kind}.builder")
            ring = [tool("swift-ring-builder"), builder]
            for step in (["create", "4", "1", "0"],
                         ["add", f"r1z1-127.0.0.1:{ports[kind]}/d1", "1"], ["rebalance"]):
                subprocess.run(ring + step, check=True, stdout=subprocess.DEVNULL)
            text = STORAGE.format(kind=kind, port=ports[kind], **names)
            (conf / f"{kind}-server.conf").write_text(text)
        (conf / "proxy-server.conf").write_text(PROXY.format(port=ports["proxy"], **names))
        self._run("memcache", ["memcached", "-l", "127.0.0.1", "-p", str(ports["memcache"]),
                               "-u", names["user"]], ports["memcache"])
        for kind in ("account", "container", "object", "proxy"):
            self._run(kind, [tool(f"swift-{kind}-server"), str(conf / f"{kind}-server.conf")],
                      ports[kind])
        self.endpoint = f"http://127.0.0.1:{ports['proxy']}"
        self.client().create_bucket(Bucket=self.bucket)

    def _run(self, name, args, port):
        process = Process(args, self.folder / f"{name}.log",
                          {"SWIFT_CONF_FILE": str(self.folder / "conf" / "swift.conf")})
        self.processes.append(process)
        process.wait_for_port(port)

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.stop()
