"""Which backups are made of which Cassandras, and what a restored node is held to."""

import dataclasses
import datetime
import re

import rows
import schema
from backup import Backup
from conftest import CHOSEN, compare
from node import Node, address, wait_for_index

TOKEN = -3074457345618258603
NAMED = re.compile(r"(?P<version>[a-z]{2})-(?P<id>\w+)-(?:big|bti)-Data\.db")
UUID_NAME = re.compile(r"[0-9a-z]{4}_[0-9a-z]{4}_[0-9a-z]{18}")


@dataclasses.dataclass
class Flavour:
    """A Cassandra, how its files look, and how Priam stores them."""

    version: str
    sstable: str
    dialect: str
    compress: str
    yaml: dict = dataclasses.field(default_factory=dict)

    @property
    def id(self):
        return f"{self.version}-{self.sstable}-{self.dialect}"


FLAVOURS = [
    Flavour("3.11", "me", "v1", "ALL"),
    Flavour("4.0", "nb", "v2", "ALL"),
    Flavour("4.1", "nb", "v2", "IF_REQUIRED"),
    Flavour("5.0", "oa", "v2", "ALL", {"storage_compatibility_mode": "NONE"}),
    # BTI has empty Rows.db, which are objects of no bytes when they are stored as they are.
    Flavour("5.0", "da", "v2", "NONE", {"storage_compatibility_mode": "NONE",
                                        "uuid_sstable_identifiers_enabled": True,
                                        "sstable": {"selected_format": "bti"}}),
]
CHOSEN_FLAVOURS = [flavour for flavour in FLAVOURS if flavour.version in CHOSEN]


def at(minute):
    return datetime.datetime(2024, 3, 1, 10, minute, tzinfo=datetime.timezone.utc)


def rfc3339(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def new_node(folder, flavour, cluster, **options):
    return Node(folder, flavour.version, address(1), cluster, tokens=[TOKEN], yaml=flavour.yaml,
                **options)


def new_backup(folder, flavour):
    return Backup(folder, dialect=flavour.dialect, cluster="source", token=TOKEN,
                  compress=flavour.compress)


def names_of_sstables(node):
    return [NAMED.fullmatch(path.name) for data in node.data_dirs
            for path in data.glob(f"{schema.KEYSPACE}/*/*-Data.db")]


def check_names(node, flavour):
    """The SSTables have the format that this run is about."""
    names = names_of_sstables(node)
    assert {name["version"] for name in names} == {flavour.sstable}
    of_uuid = [bool(UUID_NAME.fullmatch(name["id"])) for name in names]
    assert set(of_uuid) == {"uuid_sstable_identifiers_enabled" in flavour.yaml}


def check_life(node, wanted, last):
    """It starts, has the rows numbered below `last` and no later one, as `wanted` sums them up, and
    every SSTable of them is sound."""
    with node.start():
        session = node.session()
        numbers = session.execute(f"SELECT id FROM {schema.quoted(schema.KEYSPACE)}.raw")
        assert sorted(number for (number,) in numbers) == list(range(last))
        for index in schema.INDEXES:
            wait_for_index(session, schema.KEYSPACE, index)
        compare(rows.sums(session), wanted)
        node.verify(schema.KEYSPACE)
        assert node.log_errors() == []
