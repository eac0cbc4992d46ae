"""Jars from Maven Central, fetched once by a pom.xml and each held to its SHA-256, whoever served
it. They lie in build-tests/ of the checkout or where the caller says, never in the repository."""

import fcntl
import hashlib
import shutil
import subprocess
import sys


def sums(path):
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest()
            for jar in sorted(path.glob("*.jar"))}


def read_pins(path):
    lines = path.read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def difference(have, wanted):
    names = sorted(name for name in have.keys() | wanted.keys()
                   if have.get(name) != wanted.get(name))
    return ", ".join(names)


def copy_from_maven(pom, options, into):
    # -C: a jar whose checksum is not the one beside it ends the build.
    subprocess.run(["mvn", "-B", "-q", "-C", "-f", pom, *options, "dependency:copy-dependencies",
                    "-DincludeScope=runtime", f"-DoutputDirectory={into}"],
                   check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def fetch(done, pom, pins, options=(), pin=False):
    """Fills the folder `done`, unless it is there; checks it against the file `pins`, or writes
    that. Other processes may ask at the same time."""
    done.parent.mkdir(parents=True, exist_ok=True)
    with open(done.with_name(done.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.is_dir():
            coming = done.with_name(done.name + ".coming")
            shutil.rmtree(coming, ignore_errors=True)
            copy_from_maven(pom, options, coming)
            coming.rename(done)
        have = sums(done)
        if pin:
            pins.write_text("".join(f"{digest}  {name}\n" for name, digest in have.items()))
        wrong = difference(have, read_pins(pins))
        if wrong:
            raise RuntimeError(f"{done}: not the jars of {pins.name}: {wrong}; "
                               "remove the folder to fetch them again")
    return done
