"""Rows from a seed, and the sums by which a restored cluster is compared with its source.

    write(session, 0, 500)     the rows numbered 0 to 499 of every table of schema.py
    sums(session)              {table: (rows, SHA-256)}, and {table.index: ...} as its indexes see it
"""

import datetime
import decimal
import hashlib
import random
import time
import uuid

from cassandra.concurrent import execute_concurrent_with_args
from cassandra.util import Duration

from schema import INDEXES, KEYSPACE, LONGEST, quoted

WORDS = ("lar lares penates hearth wine salt bread incense ash smoke threshold storeroom niche "
         "Troy Ilium Lavinium Rome Aeneas Anchises Creusa Priam Hecuba ship oar").split()
DAY = datetime.datetime(2024, 2, 28)
FADE_S = 1


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def text(self, words):
        return " ".join(self.random.choice(WORDS) for _ in range(words))

    def blob(self, size):
        return self.random.randbytes(size)

    def place(self):
        return (self.text(2), self.text(1), self.random.randrange(99999))


def _orders(m, n):
    empty = n % 7 == 0
    return (n // 20, n % 20, f"region {n // 20}", m.place(),
            (m.text(2), [m.place() for _ in range(n % 3)]),
            None if empty else {m.text(1): n + i for i in range(3)},
            None if empty else {m.text(1), m.text(1)}, [m.text(1) for _ in range(n % 4)],
            m.text(12), m.blob(60) if n % 5 else b"", DAY + datetime.timedelta(seconds=n))


def _kinds(m, n):
    stamp = uuid.UUID(fields=(n, 0x1111, 0x1234, 0x80, n % 256, m.random.getrandbits(48)))
    return (n // 4, n << 40, m.text(1), decimal.Decimal(n).scaleb(-(n % 9)), n / 3, n / 4,
            n % 2 == 0, f"10.0.{n // 250 % 250}.{n % 250}",
            uuid.UUID(int=m.random.getrandbits(128), version=4), stamp, (-7) ** (n % 60),
            DAY.date() + datetime.timedelta(days=n), n * 1000003, n % 30000, n % 128, "ascii",
            Duration(n % 12, n % 31, n * 1000), (n, m.text(1)), {n: {m.text(1), m.text(2)}})


def _users(m, n):
    return (user_id(n), f"u{n}@example.org", m.random.choice(["NL", "DE", "FR", "JP"]), n % 1000,
            {m.text(1), m.text(1)})


def user_id(n):
    return uuid.UUID(int=random.Random(n).getrandbits(128), version=4)


# table -> columns, and the row of a number.
ROWS = {
    "orders": ("cust ord region addr who items tags steps note pay at", _orders),
    "order": ('"select" "From" v', lambda m, n: (n, m.text(1), m.text(8))),
    "wide": ("bucket at head body",
             lambda m, n: (n % 2, n, f"bucket {n % 2}", m.blob(150) + m.text(30).encode())),
    "kinds": ("a b c d e f g h i j k l m n o p q r s", _kinds),
    "raw": ("id body kind", lambda m, n: (n, m.blob(200) if n % 2 else m.text(40).encode(),
                                          m.text(1))),
    "Users": ('id email country score "Tags"', _users),
    "gone": ("k c v s", lambda m, n: (n // 10, n % 10, m.text(3), {m.text(1), m.text(1)})),
    "again": ("id v", lambda m, n: (n, m.text(4))),
    LONGEST: ("id v", lambda m, n: (n, m.text(4))),
}
# What happens to a partition of "gone": nothing, or a deletion of one kind.
DELETIONS = [
    [],
    ["DELETE FROM gone WHERE k = %(k)s AND c = 3"],
    ["DELETE FROM gone WHERE k = %(k)s AND c >= 5"],
    ["DELETE FROM gone WHERE k = %(k)s"],
    ["DELETE v FROM gone WHERE k = %(k)s AND c = 2", "DELETE s FROM gone WHERE k = %(k)s AND c = 4",
     "UPDATE gone SET s = s - {'Troy', 'ash', 'ship', 'oar'} WHERE k = %(k)s AND c = 6"],
]
DELETED_AFTER = 70  # so many numbers later, hence as a rule in another SSTable than the rows


def _all(session, statement, rows):
    execute_concurrent_with_args(session, session.prepare(statement), rows, concurrency=32,
                                 raise_on_first_error=True)


def write(session, start, stop, delete=True):
    """The rows numbered start to stop - 1 of every table, and what they delete of earlier ones."""
    session.set_keyspace(KEYSPACE)  # the driver quotes it
    numbers = range(start, stop)
    # A third expires at once, a third within this test's life never, a third by the table's own.
    for ttl in (FADE_S, 864000, None):
        using = f" USING TTL {ttl}" if ttl else ""
        mine = [n for n in numbers if n % 3 == (FADE_S, 864000, None).index(ttl)]
        _all(session, f"INSERT INTO fades (id, v) VALUES (?, ?){using}",
             [(n, f"fades {n}") for n in mine])
    fading_until = time.monotonic() + FADE_S + 1
    for table, (columns, row) in ROWS.items():
        names = columns.split()
        maker = Maker(f"{table} {start}")
        _all(session, f"INSERT INTO {quoted(table)} ({', '.join(names)}) "
                      f"VALUES ({', '.join('?' * len(names))})", [row(maker, n) for n in numbers])
    _all(session, "UPDATE hits SET n = n + ?, m = m - ? WHERE page = ? AND day = ?",
         [(n, 1, f"/p/{n % 50}", n % 3) for n in numbers])
    if delete:
        _delete(session, range(start - DELETED_AFTER, stop - DELETED_AFTER))
    time.sleep(max(0.0, fading_until - time.monotonic()))


def _delete(session, numbers):
    for n in numbers:
        if n % 10 == 0:
            for statement in DELETIONS[n // 10 % len(DELETIONS)]:
                session.execute(statement, {"k": n // 10})
        if n % 97 == 0:
            session.execute("DELETE FROM orders WHERE cust = %s AND ord = %s", (n // 20, n % 20))
        if n % 53 == 0:
            session.execute('DELETE FROM "Users" WHERE id = %s', (user_id(n),))
        elif n % 51 == 0:
            session.execute('UPDATE "Users" SET email = %s, country = %s WHERE id = %s',
                            (f"moved{n}@example.org", "NL", user_id(n)))


# Sums


def norm(value):
    """A value as text, the same whatever the order of a set or map, and for every driver type."""
    if value is None:
        return "~"
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        return "0x" + bytes(value).hex()
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, list):
        return "[" + ",".join(norm(x) for x in value) + "]"
    if isinstance(value, tuple):
        return "(" + ",".join(norm(x) for x in value) + ")"
    if hasattr(value, "items"):
        return "{" + ",".join(sorted(norm(k) + ":" + norm(v) for k, v in value.items())) + "}"
    if hasattr(value, "__iter__"):
        return "[" + ",".join(sorted(norm(x) for x in value)) + "]"
    return repr(value)


def digest(rows):
    """(how many, SHA-256s added up): whatever their order."""
    count, total = 0, 0
    for row in rows:
        one = hashlib.sha256("|".join(norm(x) for x in row).encode()).digest()
        count, total = count + 1, (total + int.from_bytes(one, "big")) % (1 << 256)
    return count, f"{total:064x}"


def names(session, keyspace):
    """Tables and views of the keyspace."""
    return [name for kind, column in (("tables", "table_name"), ("views", "view_name"))
            for (name,) in session.execute(f"SELECT {column} FROM system_schema.{kind} "
                                           "WHERE keyspace_name = %s", (keyspace,))]


def by_index(session, index):
    """What queries for every indexed value find: a row counts once for each of its values."""
    table, column, where = INDEXES[index]
    full = f"SELECT * FROM {quoted(KEYSPACE)}.{quoted(table)}"
    values = set()
    for (value,) in session.execute(f"SELECT {quoted(column)} FROM {quoted(KEYSPACE)}."
                                    f"{quoted(table)}"):
        values.update([] if value is None else [value] if isinstance(value, str) else value)
    found = execute_concurrent_with_args(session, session.prepare(f"{full} WHERE {where}"),
                                         [(value,) for value in sorted(values)], concurrency=32,
                                         raise_on_first_error=True)
    return digest(row for result in found for row in result.result_or_exc)


def sums(session, keyspace=KEYSPACE):
    """{name: (rows, sum)} of all tables and views of the keyspace, and "TABLE.INDEX" by index."""
    found = {name: digest(session.execute(f"SELECT * FROM {quoted(keyspace)}.{quoted(name)}"))
             for name in names(session, keyspace)}
    if keyspace == KEYSPACE:
        for index, (table, _, _) in INDEXES.items():
            if table in found:
                found[f"{table}.{index}"] = by_index(session, index)
    return found


def lines(found):
    return "".join(f"{name} {count} {total}\n" for name, (count, total) in sorted(found.items()))


def differences(found, wanted):
    """In words, each table where the two are not the same."""
    return [f"{name}: {found.get(name, 'missing')}, wanted {wanted.get(name, 'none')}"
            for name in sorted(found.keys() | wanted.keys())
            if found.get(name) != wanted.get(name)]
