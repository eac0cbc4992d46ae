"""The program of uploader/, which writes what Priam would have uploaded."""

import subprocess

from java_projects import class_path
from node import java


def run(command, **options):
    """options: the program's own, `_` for `-`; a list is said once for each element, True alone."""
    words = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        for one in value if isinstance(value, list) else [value]:
            words += [flag] if one is True else [flag, str(one)]
    done = subprocess.run(
        [java(), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", class_path("uploader"),
         "penates.uploader.Uploader", command, *words],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} {words} ended with {done.returncode}:\n{done.stderr}"
