"""The jars of a Cassandra version, fetched once from Maven Central by pom.xml.

They lie in PENATES_CASSANDRA_JARS, else in build-tests/cassandra of the checkout, one folder for
each version; never in the repository. Each jar is held to jars/VERSION.sha256, whoever served it.

    python tests/cassandra/jars.py [VERSION...]      fetch and check; without a version all of them
    python tests/cassandra/jars.py --pin VERSION...  write jars/VERSION.sha256 from what has come
"""

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import maven_jars  # noqa: E402
from maven_jars import difference, sums  # noqa: E402,F401 - java_projects.py's, too

VERSIONS = {"3.11": "3.11.19", "4.0": "4.0.19", "4.1": "4.1.10", "5.0": "5.0.9"}
PROFILE = {"3.11": ["-Pthrift"], "4.0": ["-Ploader"], "4.1": ["-Ploader"], "5.0": []}


def folder():
    default = HERE.parent.parent / "build-tests" / "cassandra"
    return pathlib.Path(os.environ.get("PENATES_CASSANDRA_JARS", default)).resolve()


def pins(full):
    return HERE / "jars" / f"{full}.sha256"


def pinned(full):
    return maven_jars.read_pins(pins(full))


def fetch(version, pin=False):
    """The folder of the version's jars. Other processes may ask at the same time."""
    full = VERSIONS[version]
    options = [*PROFILE[version], f"-Dcassandra.version={full}"]
    return maven_jars.fetch(folder() / full, HERE / "pom.xml", pins(full), options, pin)


def main(args):
    pin = args[:1] == ["--pin"]
    for version in args[1:] if pin else args or VERSIONS:
        print(fetch(version, pin))


if __name__ == "__main__":
    main(sys.argv[1:])
