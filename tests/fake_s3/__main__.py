"""Serves a sample backup until it is ended: python3 -m fake_s3 FIXTURE, with the tests folder as
the working directory. Prints the endpoint on one line once it listens."""

import signal
import sys

from .server import FakeS3
from .store import tree_store


def main():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with FakeS3(tree_store(sys.argv[1])) as server:
        print(server.endpoint, flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
