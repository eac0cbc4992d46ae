"""Gets the objects of a list into a folder with the AWS Common Runtime's S3 client.

awscrt_get.py ENDPOINT BUCKET LIST OUT; keys in ACCESS_KEY and SECRET_KEY.
"""

import os
import pathlib
import sys
import threading

from awscrt.auth import AwsCredentialsProvider
from awscrt.http import HttpHeaders, HttpRequest
from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup
from awscrt.s3 import S3Client, S3RequestTlsMode, S3RequestType

IN_FLIGHT = 256


def main():
    endpoint, bucket, listing, out = sys.argv[1:]
    host = endpoint.removeprefix("http://")
    loop = EventLoopGroup()
    client = S3Client(
        bootstrap=ClientBootstrap(loop, DefaultHostResolver(loop)), region="us-east-1",
        tls_mode=S3RequestTlsMode.DISABLED,
        credential_provider=AwsCredentialsProvider.new_static(
            os.environ["ACCESS_KEY"], os.environ["SECRET_KEY"]))
    room = threading.Semaphore(IN_FLIGHT)
    failures = []

    def done(error=None, **_):
        if error:
            failures.append(error)
        room.release()

    last = []
    for line in pathlib.Path(listing).read_text().splitlines():
        key, name = line.split("\t")
        room.acquire()
        last.append(client.make_request(
            type=S3RequestType.GET_OBJECT, recv_filepath=f"{out}/{name}", on_done=done,
            request=HttpRequest("GET", f"/{bucket}/{key}", HttpHeaders([("Host", host)]))))
        last = [request for request in last if not request.finished_future.done()]
    for request in last:
        request.finished_future.result()
    if failures:
        raise SystemExit(str(failures[0]))


main()
