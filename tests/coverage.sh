#!/usr/bin/env bash
# tests/coverage.sh BUILD: prints the lines and branches that ran, for each file and folder, and
# fails where a folder is below its bar. The other side of an ASSERT is not counted: it cannot be
# reached from outside, or it would not be an ASSERT.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$1
summary=$build/coverage.json
gcovr -r . --object-directory "$build" \
    --filter '(agent|codec|s3)/' --exclude-branches-by-pattern '.*\bASSERT\(' \
    --exclude-unreachable-branches --json-summary "$summary"
python3 - "$summary" <<'PYTHON'
import json
import os
import sys

BARS = {"agent": (90, 0), "codec": (95, 90), "s3": (95, 90)}  # lines, branches; of folders below, too
sums = {}
for file in json.load(open(sys.argv[1]))["files"]:
    name = file["filename"]
    counts = [file[key] for key in
              ("line_covered", "line_total", "branch_covered", "branch_total")]
    sums.setdefault(os.path.dirname(name), []).append((name, counts))


def row(name, counts):
    share = [100.0 * hit / total if total else 100.0
             for hit, total in (counts[:2], counts[2:])]
    print("%-32s %6d %6.1f %% %7d %6.1f %%" % (name, counts[1], share[0], counts[3], share[1]))
    return share


print("%-32s %15s %17s" % ("file", "lines", "branches"))
failed = False
for folder, files in sorted(sums.items()):
    for name, counts in sorted(files):
        row(name, counts)
    share = row(folder + "/", [sum(column) for column in zip(*(counts for _, counts in files))])
    bars = BARS[folder.split("/")[0]]
    if any(is_share < bar for is_share, bar in zip(share, bars)):
        print("%s/ is below its bar: %d %% of lines, %d %% of branches" % (folder, *bars))
        failed = True
    print()
sys.exit(failed)
PYTHON
