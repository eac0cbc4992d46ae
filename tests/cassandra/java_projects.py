"""The Maven projects beside this file, compiled where the jars of jars.py lie.

    class_path("uploader")      compile, when the sources are not those of the last time
    python tests/cassandra/java_projects.py --pin NAME...  write jars/NAME.sha256 of what has come

A project's pom copies what it depends on to ${out}/lib. Each jar is held to jars/NAME.sha256.
"""

import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import sys

import jars

HERE = pathlib.Path(__file__).resolve().parent


def fingerprint(project):
    digest = hashlib.sha256()
    sources = [path for path in project.rglob("src/**/*") if path.is_file()]
    for path in sorted([project / "pom.xml", *sources]):
        digest.update(f"{path.relative_to(project)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def compile_into(project, out):
    # -C: a jar whose checksum is not the one beside it ends the build.
    subprocess.run(["mvn", "-B", "-q", "-C", "-f", project / "pom.xml", "compile", f"-Dout={out}"],
                   check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def class_path(name, pin=False):
    """For java -cp. Other processes may ask at the same time."""
    project, root = HERE / name, jars.folder()
    root.mkdir(parents=True, exist_ok=True)
    with open(root / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = root / f"{name}-{fingerprint(project)}"
        if not done.is_dir():
            coming = root / f"{name}.coming"
            shutil.rmtree(coming, ignore_errors=True)
            compile_into(project, coming)
            for old in root.glob(f"{name}-*"):
                shutil.rmtree(old)
            coming.rename(done)
        have = jars.sums(done / "lib")
        if pin:
            text = "".join(f"{digest}  {jar}\n" for jar, digest in have.items())
            (HERE / "jars" / f"{name}.sha256").write_text(text)
        wrong = jars.difference(have, jars.pinned(name))
        if wrong:
            raise RuntimeError(f"{done}: not the jars of jars/{name}.sha256: {wrong}")
    return f"{done / 'classes'}:{done / 'lib'}/*"


def main(args):
    assert args[:1] == ["--pin"], __doc__
    for name in args[1:]:
        print(class_path(name, pin=True))


if __name__ == "__main__":
    main(sys.argv[1:])
