"""One server process: started, waited for, ended by its process id."""

import concurrent.futures
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import botocore.session
from botocore.config import Config


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def tool(name):
    """A program of the environment that runs the tests."""
    return str(pathlib.Path(sys.executable).parent / name)


class Process:
    def __init__(self, args, log, env=None):
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                args, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={**os.environ, **(env or {})}, start_new_session=True)
        self.log = pathlib.Path(log)

    def wait_for_port(self, port, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"{self.process.args[0]} did not open its port:\n{self.log.read_text()}")

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)


class S3Server:
    """What the tests need of a server: an endpoint, keys, a bucket, and a way to fill it."""

    bucket = "backups"
    region = "us-east-1"

    def client(self, service="s3", access_key=None, secret_key=None):
        return botocore.session.get_session().create_client(
            service, region_name=self.region, endpoint_url=self.endpoint,
            aws_access_key_id=access_key or self.access_key,
            aws_secret_access_key=secret_key or self.secret_key,
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 3},
                          request_checksum_calculation="when_required"))

    def fill(self, store, **extra):
        """Puts every object of a fake's store into the bucket."""
        client = self.client()

        def put(item):
            key, thing = item
            client.put_object(Bucket=self.bucket, Key=key, Body=thing.body.data,
                              Metadata=thing.metadata, **extra)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for _ in pool.map(put, store.objects.items()):
                pass  # a failed one raises here
