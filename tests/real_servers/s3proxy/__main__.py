"""python -m real_servers.s3proxy [--pin]: fetch the jars and check them, or write jars.sha256."""

import sys

from . import fetch

print(fetch(pin=sys.argv[1:] == ["--pin"]))
