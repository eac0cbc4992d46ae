"""Which Cassandras the tests start, and what several of them use.

PENATES_CASSANDRA_VERSIONS: those to run, as "3.11 4.1"; run.sh sets it. A test that asks for
`version` runs with each of them.
"""

import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE.parent, HERE):  # fake_s3, and the modules of this folder
    sys.path.insert(0, str(folder))

pytest.register_assert_rewrite("flavours")

import jars  # noqa: E402
import rows  # noqa: E402

CHOSEN = os.environ.get("PENATES_CASSANDRA_VERSIONS", "3.11 4.1").split()
assert set(CHOSEN) <= set(jars.VERSIONS), f"unknown versions in {CHOSEN}"


def pytest_generate_tests(metafunc):
    if "version" in metafunc.fixturenames:
        metafunc.parametrize("version", CHOSEN, scope="module")


@pytest.fixture(scope="session", autouse=True)
def all_jars():
    for version in CHOSEN:
        jars.fetch(version)


def compare(found, wanted):
    """By count and sum of every table; a failure names those that differ."""
    assert rows.differences(found, wanted) == []
