"""AWS's own mock of the instance metadata service, version 2 only."""

import json
import shutil

from .process import Process, free_port, tool

NAME = "ec2-metadata-mock"


def find():
    """Its path, in the environment that runs the tests or along PATH; None: not installed."""
    return shutil.which(tool(NAME)) or shutil.which(NAME)


class Ec2Mock:
    def __init__(self, folder, access_key, secret_key, token):
        self.folder = folder
        self.document = {"Code": "Success", "LastUpdated": "2020-04-02T18:50:40Z",
                         "Type": "AWS-HMAC", "AccessKeyId": access_key,
                         "SecretAccessKey": secret_key, "Token": token,
                         "Expiration": "2096-04-02T00:49:51Z"}

    def __enter__(self):
        port = free_port()
        config = self.folder / "imds.json"
        config.write_text(json.dumps(
            {"metadata": {"values": {"iam-security-credentials": self.document,
                                     "placement-region": "us-east-1"}}}))
        # Unless it is told, it listens on all interfaces.
        self.process = Process([find(), "-n", "127.0.0.1", "-p", str(port), "--imdsv2",
                                "-c", str(config)], self.folder / "imds.log")
        try:
            self.process.wait_for_port(port)
        except BaseException:
            self.process.stop()
            raise
        self.endpoint = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_):
        self.process.stop()
