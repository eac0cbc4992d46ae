"""What the fake serves: objects in memory, or generated from a seed so that 100 GB need no disk."""

import bisect
import csv
import dataclasses
import hashlib
import json
import pathlib
import random

CHUNK = 1 << 20


class Bytes:
    def __init__(self, data):
        self.data = data
        self.size = len(data)

    def read(self, offset, size):
        return self.data[offset : offset + size]


class Generated:
    """A snappy-java stream of any plain size, made of one repeated literal-only block.

    Every block has the same stored size, so any range can be computed without making the rest.
    """

    PLAIN_BLOCK = 32768

    def __init__(self, blocks, seed=1):
        self.plain_block = random.Random(seed).randbytes(self.PLAIN_BLOCK)
        # One raw Snappy block: varint of 32768, a literal tag with two length bytes, the bytes.
        raw = bytes([0x80, 0x80, 0x02, 61 << 2]) + (self.PLAIN_BLOCK - 1).to_bytes(2, "little")
        raw += self.plain_block
        self.record = len(raw).to_bytes(4, "big") + raw
        self.header = b"\x82SNAPPY\x00" + (1).to_bytes(4, "big") * 2
        self.blocks = blocks
        self.size = len(self.header) + blocks * len(self.record)
        self.plain_size = blocks * self.PLAIN_BLOCK

    def read(self, offset, size):
        end = min(offset + size, self.size)
        out = bytearray(self.header[offset : min(end, len(self.header))])
        while offset + len(out) < end:
            at = offset + len(out) - len(self.header)
            inside = at % len(self.record)
            left = end - offset - len(out)
            whole = left // len(self.record)
            if inside == 0 and whole > 1:
                out += self.record * whole
            else:
                out += self.record[inside : inside + left]
        return bytes(out)


@dataclasses.dataclass
class Object:
    body: object
    etag: str
    metadata: dict = dataclasses.field(default_factory=dict)
    checksums: dict = dataclasses.field(default_factory=dict)  # "crc32c" -> base64 text
    checksum_type: str = "FULL_OBJECT"
    storage_class: str = "STANDARD"
    archive_tier: str = ""  # of INTELLIGENT_TIERING
    copy: tuple = None  # of what is archived: (readable from, expires at)
    modified: str = "2026-11-23T08:00:00.000Z"
    part_sizes: list = dataclasses.field(default_factory=list)
    headers: dict = dataclasses.field(default_factory=dict)  # sent as they are
    sse_c_md5: str = ""  # of the customer's key that it is encrypted with
    version_id: str = "null"
    is_marker: bool = False


def byte_order(key):
    return key.encode()


def folder_order(key):
    """As SeaweedFS lists: the keys below a/ before a-b, although '-' is less than '/'."""
    return key.encode().split(b"/")


class Store:
    def __init__(self):
        self.objects = {}
        self.history = {}  # of each key what happened to it, newest first
        self.versioned = False
        self.order = byte_order
        self._sorted = None
        self._versions = 0

    def put(self, key, data, **extra):
        body = data if hasattr(data, "read") else Bytes(data)
        etag = extra.pop("etag", None)
        if etag is None:
            etag = (
                hashlib.md5(body.data).hexdigest()
                if isinstance(body, Bytes)
                else hashlib.md5(key.encode()).hexdigest() + "-2"
            )
        self.objects[key] = Object(body, etag, **extra)
        self._remember(key, self.objects[key])

    def _remember(self, key, thing):
        self._sorted = None
        before = self.history.get(key, [])
        if self.versioned:
            self._versions += 1
            thing.version_id = f"{self._versions:08d}.id"
        else:
            before = [old for old in before if old.version_id != "null"]
        self.history[key] = [thing, *before]

    def put_parts(self, key, parts, **extra):
        """As a multipart upload leaves it: an ETag of the parts' MD5s."""
        digests = b"".join(hashlib.md5(part).digest() for part in parts)
        etag = f"{hashlib.md5(digests).hexdigest()}-{len(parts)}"
        self.put(key, b"".join(parts), etag=etag, part_sizes=[len(p) for p in parts], **extra)

    def delete(self, key, modified="2026-11-23T08:00:00.000Z"):
        del self.objects[key]
        self._remember(key, Object(None, "", modified=modified, is_marker=True))
        if not self.versioned:
            del self.history[key][0]
            self.history = {k: v for k, v in self.history.items() if v}

    def keys(self):
        if self._sorted is None:
            self._sorted = sorted(self.objects, key=self.order)
        return self._sorted

    def list(self, prefix, delimiter, after, limit):
        """(entries, folders, last name or None when there is no more)."""
        names = self.keys()
        first = max(prefix, after or "", key=self.order)  # not from the start for each page
        at = bisect.bisect_left(names, self.order(first), key=self.order)
        entries, folders = [], []
        last = None
        while at < len(names) and names[at].startswith(prefix):
            name = names[at]
            at += 1
            cut = name.find(delimiter, len(prefix)) if delimiter else -1
            shown = name[: cut + 1] if cut >= 0 else name
            if after and min(self.order(shown), self.order(name)) <= self.order(after):
                continue
            if cut >= 0 and folders and folders[-1] == shown:
                continue
            if len(entries) + len(folders) == limit:
                return entries, folders, last
            (folders if cut >= 0 else entries).append(shown)
            last = shown
        return entries, folders, None


    def list_versions(self, prefix, delimiter, key_marker, id_marker, limit):
        """([(name, object, or None of a folder)], next key and id marker, or None)."""
        rows, after = [], self.order(key_marker)
        for name in sorted(self.history, key=self.order):
            cut = name.find(delimiter, len(prefix)) if delimiter else -1
            shown = name[: cut + 1] if cut >= 0 else name
            inside = name == key_marker and id_marker
            if not name.startswith(prefix) or (rows and cut >= 0 and rows[-1][0] == shown):
                continue
            if key_marker and not inside and min(self.order(shown), self.order(name)) <= after:
                continue
            things = [None] if cut >= 0 else self.history[name]
            if inside:
                ids = [thing.version_id for thing in things]
                things = things[ids.index(id_marker) + 1 :]
            for thing in things:
                if len(rows) == limit:
                    last_name, last = rows[-1]
                    return rows, (last_name, last.version_id if last else "")
                rows.append((shown, thing))
        return rows, None


def tree_store(root):
    """A fixture directory (bucket/, objects.tsv) as a store, with its ETags and metadata."""
    root = pathlib.Path(root)
    store = Store()
    with open(root / "objects.tsv", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            store.put(
                row["key"],
                (root / "bucket" / row["key"]).read_bytes(),
                etag=row["etag"].strip('"'),
                metadata=json.loads(row["user_metadata"] or "{}"),
            )
    return store
