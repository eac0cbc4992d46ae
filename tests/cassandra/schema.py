"""A schema that hurts: what a restore has been seen to get wrong, or could.

Every compressor and none; wide partitions with static columns, collections and user types;
counters; rows that expire; deletions of every kind; two secondary indexes, one on a collection and
with a quoted name; a materialized view; a table that was dropped and made again; and names that
need care: in a quoted case (the keyspace, too), a reserved word that is also the beginning of
another table's name, and the longest that Cassandra takes.
"""

KEYSPACE = "Hurt"
LONGEST = "a_table_with_a_name_as_long_as_the_limit_allows_"
assert len(LONGEST) == 48

# In the order of the statements' needs. %z is Zstd, or Deflate where Zstd is not known (3.11).
TYPES = [
    "CREATE TYPE place (street text, city text, zip int)",
    "CREATE TYPE \"Person\" (name text, places frozen<list<frozen<place>>>)",
]
TABLES = {
    "orders": """(cust int, ord int, region text static, addr frozen<place>, who frozen<"Person">,
        items map<text, int>, tags set<text>, steps list<text>, note text, pay blob, at timestamp,
        PRIMARY KEY (cust, ord)) WITH CLUSTERING ORDER BY (ord DESC)
        AND compression = {'class': 'LZ4Compressor', 'chunk_length_in_kb': 16}""",
    "order": """("select" int, "From" text, v text, PRIMARY KEY (("select", "From")))
        WITH compression = {'class': 'LZ4Compressor', 'chunk_length_in_kb': 4}""",
    "wide": """(bucket int, at int, head text static, body blob, PRIMARY KEY (bucket, at))
        WITH compression = {'class': 'SnappyCompressor', 'chunk_length_in_kb': 4}""",
    "kinds": """(a int, b bigint, c text, d decimal, e double, f float, g boolean, h inet,
        i uuid, j timeuuid, k varint, l date, m time, n smallint, o tinyint, p ascii, q duration,
        r tuple<int, text>, s frozen<map<int, frozen<set<text>>>>, PRIMARY KEY ((a, c), b, n))
        WITH compression = {'class': '%z', 'chunk_length_in_kb': 16}""",
    "raw": """(id bigint PRIMARY KEY, body blob, kind text)
        WITH compression = {'enabled': 'false'}""",
    "Users": """(id uuid PRIMARY KEY, email text, country text, score int, "Tags" set<text>)""",
    "hits": """(page text, day int, n counter, m counter, PRIMARY KEY (page, day))""",
    "fades": """(id int PRIMARY KEY, v text) WITH default_time_to_live = 8640000""",
    "gone": """(k int, c int, v text, s set<text>, PRIMARY KEY (k, c))""",
    "again": """(id int PRIMARY KEY, v text)""",
    LONGEST: """(id int PRIMARY KEY, v text)""",
}
# name -> table, column, and the WHERE clause that asks it.
INDEXES = {
    "users_email_idx": ("Users", "email", '"email" = ?'),
    "Tags_Idx": ("Users", "Tags", '"Tags" CONTAINS ?'),
}
VIEWS = {
    "users_by_country": """SELECT * FROM "Users" WHERE country IS NOT NULL AND id IS NOT NULL
        PRIMARY KEY (country, id)""",
}


def quoted(name):
    return f'"{name}"'


def create(session, version, rf=1):
    """The keyspace and all in it. The session is left in the keyspace."""
    session.execute(f"CREATE KEYSPACE {quoted(KEYSPACE)} WITH replication = "
                    f"{{'class': 'SimpleStrategy', 'replication_factor': {rf}}}")
    session.set_keyspace(KEYSPACE)  # the driver quotes it
    for statement in TYPES:
        session.execute(statement)
    zstd = "DeflateCompressor" if version == "3.11" else "ZstdCompressor"
    for name, body in TABLES.items():
        session.execute(f"CREATE TABLE {quoted(name)} {body.replace('%z', zstd)}")
    for name, (table, column, _) in INDEXES.items():
        session.execute(f"CREATE INDEX {quoted(name)} ON {quoted(table)} ({quoted(column)})")
    for name, body in VIEWS.items():
        session.execute(f"CREATE MATERIALIZED VIEW {quoted(name)} AS {body}")
    session.execute("INSERT INTO again (id, v) VALUES (-1, 'of the table that was dropped')")
    make_again(session)


def make_again(session):
    """Drop the table "again" and make it anew: same name, another id."""
    session.execute("DROP TABLE again")
    session.execute(f"CREATE TABLE again {TABLES['again']}")
