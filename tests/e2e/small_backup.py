"""Small backups made on the spot: enough of Priam's v2 layout to show one thing at a time."""

import json
import zlib

from fake_s3 import Generated, Store

MAGIC = b"\x82SNAPPY\x00" + (1).to_bytes(4, "big") * 2
CLUSTER, TOKEN = "fake-app", "1808575600"
NODE = f"backup/1049_{CLUSTER}/{TOKEN}"
TABLE = "users-5a1c395eb41f11e6bb4d2d6e00000000"
SECOND = 1700000000000
POINT = "2023-11-14T22:13:25Z"  # SECOND + 5 s


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out + bytes([n]))


def snappy(plain, block=32768):
    """As snappy-java writes it, with literals only."""
    out = bytearray(MAGIC)
    for at in range(0, len(plain), block):
        piece = plain[at : at + block]
        raw = varint(len(piece)) + bytes([61 << 2]) + (len(piece) - 1).to_bytes(2, "little") + piece
        out += len(raw).to_bytes(4, "big") + raw
    return bytes(out)


class SmallBackup:
    """One node, one snapshot, some SSTables of table ks.users."""

    def __init__(self, store=None):
        self.store = store or Store()
        self.components = []
        self.plain = {}
        self.meta_key = f"{NODE}/META_V2/{SECOND + 5000}/SNAPPY/PLAINTEXT/meta_v2_202311142213.json"

    def key(self, name, table=TABLE, comp="SNAPPY", ms=SECOND):
        return f"{NODE}/SST_V2/{ms}/ks/{table}/{comp}/PLAINTEXT/{name}"

    def add(self, name, plain, stored=None, *, listed=True, table=TABLE, size=None, **extra):
        key = self.key(name, table)
        if listed:
            self.components.append((key, name, len(plain) if size is None else size, table))
        self.plain[f"ks/{table}/{name}"] = plain
        self.store.put(key, snappy(plain) if stored is None else stored, **extra)
        return key

    def add_sstable(self, generation, data, **extra):
        prefix = f"nb-{generation}-big-"
        names = ("Data.db", "Digest.crc32", "Filter.db", "Index.db", "TOC.txt")
        toc = "".join(f"{name}\n" for name in names)
        self.add(prefix + "Data.db", data, **extra)
        self.add(prefix + "Digest.crc32", str(zlib.crc32(data)).encode())
        self.add(prefix + "Filter.db", bytes([generation % 256]) * 100)
        self.add(prefix + "Index.db", bytes([generation % 251]) * 50)
        self.add(prefix + "TOC.txt", toc.encode())

    def add_huge(self, blocks, generation=99):
        """A Data.db of blocks * 32 KiB that exists nowhere."""
        huge = Generated(blocks)
        crc = 0
        for _ in range(blocks):
            crc = zlib.crc32(huge.plain_block, crc)
        prefix = f"nb-{generation}-big-"
        key = self.key(prefix + "Data.db")
        self.components.append((key, prefix + "Data.db", huge.plain_size, TABLE))
        self.store.put(key, huge)
        self.add(prefix + "Digest.crc32", str(crc).encode())
        self.add(prefix + "Index.db", b"index")
        self.add(prefix + "TOC.txt", b"Data.db\nDigest.crc32\nIndex.db\nTOC.txt\n")
        return huge

    def manifest(self):
        tables = {}
        for key, name, size, table in self.components:
            tables.setdefault(table, {}).setdefault(name.rsplit("-", 1)[0], []).append({
                "fileName": name, "lastModifiedTime": SECOND, "fileCreationTime": SECOND,
                "fileSizeOnDisk": size, "compression": "SNAPPY", "encryption": "PLAINTEXT",
                "isUploaded": False, "backupPath": key})
        data = [{"keyspaceName": "ks", "columnfamilyName": table.split("-")[0],
                 "sstables": [{"prefix": prefix, "sstableComponents": parts}
                              for prefix, parts in sstables.items()]}
                for table, sstables in tables.items()]
        info = {"version": 1, "appName": CLUSTER, "region": "us-east-1", "rack": "us-east-1c",
                "backupIdentifier": [TOKEN]}
        return json.dumps({"info": info, "data": data}).encode()

    def seal(self, manifest=None):
        """Writes the manifest last, as Priam does not."""
        self.store.put(self.meta_key, snappy(self.manifest() if manifest is None else manifest))
        return self.store


def standard(sstables=3):
    backup = SmallBackup()
    for generation in range(1, sstables + 1):
        backup.add_sstable(generation, bytes(f"row {generation} ", "ascii") * 20000)
    backup.seal()
    return backup
