"""The jars of a Cassandra version, fetched once from Maven Central by pom.xml.

They lie in PENATES_CASSANDRA_JARS, else in build-tests/cassandra of the checkout, one folder for
each version; never in the repository. Each jar is held to jars/VERSION.sha256, whoever served it.

    python tests/cassandra/jars.py [VERSION...]      fetch and check; without a version all of them
    python tests/cassandra/jars.py --pin VERSION...  write jars/VERSION.sha256 from what has come
"""

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
VERSIONS = {"3.11": "3.11.19", "4.0": "4.0.19", "4.1": "4.1.10", "5.0": "5.0.9"}
PROFILE = {"3.11": ["-Pthrift"], "4.0": ["-Ploader"], "4.1": ["-Ploader"], "5.0": []}


def folder():
    default = HERE.parent.parent / "build-tests" / "cassandra"
    return pathlib.Path(os.environ.get("PENATES_CASSANDRA_JARS", default)).resolve()


def sums(path):
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest()
            for jar in sorted(path.glob("*.jar"))}


def pinned(full):
    lines = (HERE / "jars" / f"{full}.sha256").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def difference(have, wanted):
    names = sorted(name for name in have.keys() | wanted.keys()
                   if have.get(name) != wanted.get(name))
    return ", ".join(names)


def copy_from_maven(version, into):
    full = VERSIONS[version]
    # -C: a jar whose checksum is not the one beside it ends the build.
    subprocess.run(["mvn", "-B", "-q", "-C", "-f", HERE / "pom.xml", *PROFILE[version],
                    "dependency:copy-dependencies", f"-Dcassandra.version={full}",
                    "-DincludeScope=runtime", f"-DoutputDirectory={into}"],
                   check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def fetch(version, pin=False):
    """The folder of the version's jars. Other processes may ask at the same time."""
    full, root = VERSIONS[version], folder()
    root.mkdir(parents=True, exist_ok=True)
    with open(root / f"{full}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = root / full
        if not done.is_dir():
            coming = root / f"{full}.coming"
            shutil.rmtree(coming, ignore_errors=True)
            copy_from_maven(version, coming)
            coming.rename(done)
        have = sums(done)
        if pin:
            text = "".join(f"{digest}  {name}\n" for name, digest in have.items())
            (HERE / "jars" / f"{full}.sha256").write_text(text)
        wrong = difference(have, pinned(full))
        if wrong:
            raise RuntimeError(f"{done}: not the jars of jars/{full}.sha256: {wrong}; "
                               "remove the folder to fetch them again")
    return done


def main(args):
    pin = args[:1] == ["--pin"]
    for version in args[1:] if pin else args or VERSIONS:
        print(fetch(version, pin))


if __name__ == "__main__":
    main(sys.argv[1:])
