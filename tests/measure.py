"""Runs one command and writes what it cost: measure.py OUT COMMAND...

A process of its own, because a child's peak memory starts with that of the process that forked it,
and a test runner is large.
"""

import json
import os
import sys
import time


def main():
    out, command = sys.argv[1], sys.argv[2:]
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        os.execvp(command[0], command)
    _, status, usage = os.wait4(child, 0)
    with open(out, "w") as file:
        json.dump({"wall_s": time.monotonic() - began, "rss_bytes": usage.ru_maxrss * 1024,
                   "cpu_s": usage.ru_utime + usage.ru_stime}, file)
    sys.exit(os.waitstatus_to_exitcode(status))


main()
