"""The uploader repeats what Priam's own code wrote: both fixtures, byte for byte.

The plain files of the fixtures are laid out as the source node had them, with the times that the
user metadata of the objects give, and uploaded again. Every key, body, size, digest and metadata
must be the fixture's. What no object tells is given to the uploader, and is all of this:

- the order of the tables: the order in which the source's file system listed its folders;
- of files of one folder whose hashes fall into one bucket of Priam's HashSet, which comes first:
  the file system's order again. It was one order of names in all folders of priam-v1: LISTED. All
  other order is the uploader's own work: the listing names the files in LISTED's order;
- v2: the order of the components inside an SSTable: Priam's is by the identity hashes of objects.
  So the listing has the order of the manifest, which must come out of the HashSet again;
- v2: each file's creation time;
- the path of the source's data directory, of which the order in the manifests depends on the hash
  alone: a folder whose name has the same hash stands for it. The low bits were found by trying
  all: they are the only ones that explain the order in all folders of both manifests;
- the moment at which a manifest was written (to the millisecond), and which object was uploaded
  before which: the first snapshot, then the incrementals up to the second, and so on.

Left out is COMMIT_LOGS, which the uploader does not do.
"""

import collections
import csv
import itertools
import json
import pathlib

import uploader
import xerial

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"

HASH_BITS = 1 << 22
COMMIT_LOGS = ["backup/us-east-1/fix_v1/-3074457345618258603/202611230802/CL/"
               "CommitLog-6-1795420683782.log"]
# The 66 pairs of files that share a bucket, in both manifests of priam-v1, agree on this order.
LISTED = [
    "me-2-big-CompressionInfo.db", "me-1-big-Filter.db", "me-9-big-Index.db",
    "me-9-big-CompressionInfo.db", "me-13-big-Filter.db", "me-2-big-CRC.db", "me-1-big-Index.db",
    "me-9-big-Digest.crc32", "me-9-big-Filter.db", "me-13-big-CompressionInfo.db",
    "me-1-big-Statistics.db", "me-9-big-Summary.db", "me-9-big-TOC.txt",
    "me-1-big-CompressionInfo.db", "me-2-big-Filter.db", "me-2-big-Statistics.db",
    "me-1-big-Digest.crc32", "me-2-big-Summary.db", "manifest.json", "me-1-big-CRC.db",
    "me-2-big-Digest.crc32", "me-1-big-Summary.db", "me-2-big-Index.db", "me-1-big-TOC.txt",
    "me-2-big-TOC.txt", "schema.cql"]
# Uploaded in two parts: the fixture's ETag is not a single body's.
IN_PARTS = {"priam-v1": 3, "priam-v2": 1}

Object = collections.namedtuple("Object", "key row plain modified")


def java_hash(text):
    value = 0
    for char in text:
        value = (31 * value + ord(char)) % (1 << 32)
    return value


def folder_with_hash(parent, wanted):
    """A folder below parent whose whole path has this String.hashCode, modulo HASH_BITS."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    tails = {java_hash("".join(t)) % HASH_BITS: "".join(t)
             for t in itertools.product(letters, repeat=3)}
    start = java_hash(f"{parent}/")
    for head in itertools.product(letters, repeat=5):
        name = "".join(head)
        at = start * 31**5 + java_hash(name)
        tail = tails.get((wanted - at * 31**3) % HASH_BITS)
        if tail:
            path = parent / (name + tail)
            assert java_hash(str(path)) % HASH_BITS == wanted
            path.mkdir()
            return path
    raise AssertionError("no name has this hash")


def read_objects(fixture):
    """key -> Object, of everything in the fixture."""
    found = {}
    with open(DATA / fixture / "objects.tsv", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            key = row["key"]
            body = (DATA / fixture / "bucket" / key).read_bytes()
            plain = body if "/NONE/PLAINTEXT/" in key else xerial.decode(body)
            meta = json.loads(row["user_metadata"])
            assert int(meta.get("local-size", 0)) == len(plain)
            found[key] = Object(key, row, plain, int(meta["local-modification-time"]))
    return found


class Source:
    """The data directory as it was, and one listing of it per upload."""

    def __init__(self, data, tree, **options):
        self.data, self.tree, self.options = data, tree, options

    def upload(self, command, files, **options):
        """files: (path below the data directory, Object, creation time), in order."""
        listing = self.data.parent / "listing.tsv"
        lines = []
        for name, thing, created in files:
            path = self.data / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(thing.plain)
            lines.append(f"{name}\t{thing.modified}\t{created}\n")
        assert len({line.split("\t")[0] for line in lines}) == len(lines), "a file comes once"
        listing.write_text("".join(lines))
        uploader.run(command, data=self.data, tree=self.tree, listing=listing, **self.options,
                     **options)


def v2_place(key, where):
    """The path of a v2 object's file; where: "backups", or "snapshots/NAME"."""
    part = key.split("/")
    index = part[7:-3]
    return "/".join([*part[5:7], where, *index, part[-1]])


def as_listed(keys):
    """Tables in the order given, the files of each in LISTED's order, all others by name."""
    tables = collections.defaultdict(list)
    for key in keys:
        tables[key.rsplit("/", 1)[0]].append(key.rsplit("/", 1)[1])
    places = {name: place for place, name in enumerate(LISTED)}
    return [f"{table}/{name}" for table, names in tables.items()
            for name in sorted(names, key=lambda name: (places.get(name, -1), name))]


def compare(fixture, tree, objects, left_out=()):
    """Keys, bodies, and lines of objects.tsv."""
    bucket = tree / "bucket"
    got = {str(path.relative_to(bucket)) for path in bucket.rglob("*") if path.is_file()}
    assert sorted(got) == sorted(set(objects) - set(left_out))
    for key in got:
        assert (bucket / key).read_bytes() == (DATA / fixture / "bucket" / key).read_bytes(), key
    with open(tree / "objects.tsv", newline="") as file:
        rows = {row["key"]: row
                for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}
    assert set(rows) == got
    in_parts = 0
    for key, row in rows.items():
        wanted = dict(objects[key].row)
        if wanted["etag"].endswith('-2"'):
            in_parts += 1
            wanted["etag"] = row["etag"]
        assert row == wanted
    assert in_parts == IN_PARTS[fixture]


def test_v1(tmp_path):
    fixture = "priam-v1"
    objects = read_objects(fixture)
    source = Source(folder_with_hash(tmp_path, 0x64165), tmp_path / "tree", dialect="v1",
                    cluster="fix_v1", token="-3074457345618258603")
    for meta in [key for key in objects if key.endswith("/META/meta.json")]:
        minute = meta.split("/")[4]
        files = [("/".join([*key.split("/")[6:8], "snapshots", minute, key.split("/")[8]]),
                  objects[key], 0) for key in as_listed(json.loads(objects[meta].plain))]
        source.upload("snapshot", files, name=minute, instant=objects[meta].modified)
    # The same name may have come twice, with another time.
    rounds = collections.defaultdict(dict)
    for key in objects:
        part = key.split("/")
        if part[5] == "SST":
            place = "/".join([*part[6:8], "backups", part[8]])
        elif part[3] == "SECONDARY_INDEX_V2":
            place = v2_place(key, "backups")
        else:
            continue
        rounds[next(n for n in itertools.count() if place not in rounds[n])][place] = objects[key]
    for files in rounds.values():
        source.upload("incrementals", [(place, thing, 0) for place, thing in files.items()])
    compare(fixture, tmp_path / "tree", objects, COMMIT_LOGS)


def test_v2(tmp_path):
    fixture = "priam-v2"
    objects = read_objects(fixture)
    source = Source(folder_with_hash(tmp_path, 0xFB284), tmp_path / "tree", dialect="v2",
                    cluster="fix_v2", token="-3074457345618258603")
    metas = sorted(key for key in objects if "/META_V2/" in key)
    listed = {meta: [component for table in json.loads(objects[meta].plain)["data"]
                     for sstable in table["sstables"]
                     for component in sstable["sstableComponents"]] for meta in metas}
    in_snapshots = [{c["backupPath"] for c in listed[meta]} for meta in metas]
    # What the second manifest says is there already, but was not in the first, came in between.
    others = set(objects) - set(metas) - in_snapshots[0] - {
        c["backupPath"] for c in listed[metas[1]] if not c["isUploaded"]}
    end = [objects[meta].modified for meta in metas[1:]] + [float("inf")]
    for meta, until, compress in zip(metas, end, ("ALL", "IF_REQUIRED"), strict=True):
        name = "snap_v2_" + meta[-len("202611230752.json"):-len(".json")]
        source.upload(
            "snapshot",
            [(v2_place(c["backupPath"], f"snapshots/{name}"), objects[c["backupPath"]],
              c["fileCreationTime"]) for c in listed[meta]],
            name=name, instant=objects[meta].modified, compress=compress)
        incrementals = sorted(key for key in others if objects[key].modified < until)
        others -= set(incrementals)
        source.upload("incrementals",
                      [(v2_place(key, "backups"), objects[key], 0) for key in incrementals],
                      compress=compress)
    compare(fixture, tmp_path / "tree", objects)
