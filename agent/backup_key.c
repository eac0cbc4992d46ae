#include "agent/backup_key.h"

#include <string.h>

#include "agent/base/err.h"
#include "agent/base/parse.h"

/* The longest form, an index SSTable of v2, has ten components after the base. */
enum { PARTS_MAX = 10 };

/* 9999-12-31T23:59:59.999Z, the last instant that every time format of ours can write. */
#define TIME_MAX_MS INT64_C(253402300799999)

struct parts {
    struct slice at[PARTS_MAX];
    size_t count;
};

static const char NOT_A_KEY[] = "is not a backup key";

static bool no(const char **ret_why, const char *why)
{
    *ret_why = why;
    return false;
}

static struct slice slice_before(struct slice slice, const char *stops)
{
    size_t size = 0;
    while (size < slice.size && strchr(stops, slice.data[size]) == NULL) {
        size++;
    }
    return slice_of(slice.data, size);
}

bool backup_key_safe_component(struct slice name, const char **ret_why)
{
    if (name.size == 0) {
        return no(ret_why, "has an empty component");
    }
    if (slice_is(name, ".") || slice_is(name, "..")) {
        return no(ret_why, "has a '.' or '..' component");
    }
    /* 255: NAME_MAX of every file system that Cassandra runs on. */
    if (name.size > 255) {
        return no(ret_why, "has a component of more than 255 bytes");
    }
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] < 0x20 || name.data[i] == 0x7f) {
            return no(ret_why, "has a control character");
        }
        if (name.data[i] == '/') {
            return no(ret_why, "has a '/' inside a component");
        }
    }
    return true;
}

struct slice backup_key_table_name(struct slice table_dir)
{
    return slice_before(table_dir, "-");
}

/* A decimal integer, its zeros in front cut. */
struct integer {
    bool negative;
    struct slice digits;
};

static bool integer_parse(struct slice text, struct integer *ret)
{
    const bool negative = text.size > 0 && text.data[0] == '-';
    size_t first = negative;
    if (first == text.size) {
        return false;
    }
    for (size_t i = first; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    while (first < text.size && text.data[first] == '0') {
        first++;
    }
    const struct slice digits = slice_of(text.data + first, text.size - first);
    *ret = (struct integer){.negative = negative && digits.size > 0, .digits = digits};
    return true;
}

static int sign_of(int order)
{
    return (order > 0) - (order < 0);
}

int backup_key_token_compare(const char *a, const char *b)
{
    ASSERT(a != NULL && b != NULL);
    struct integer x;
    struct integer y;
    if (!integer_parse(slice_of(a, strlen(a)), &x) || !integer_parse(slice_of(b, strlen(b)), &y)) {
        return sign_of(strcmp(a, b));
    }
    if (x.negative != y.negative) {
        return x.negative ? -1 : 1;
    }
    int order = (x.digits.size > y.digits.size) - (x.digits.size < y.digits.size);
    if (order == 0 && x.digits.size > 0) {
        order = sign_of(memcmp(x.digits.data, y.digits.data, x.digits.size));
    }
    return x.negative ? -order : order;
}

/* One code point from *pos on, which moves past it. A byte that begins none counts as U+FFFD, as in
 * Java's decoder. */
static uint32_t utf8_next(struct slice text, size_t *pos)
{
    static const uint32_t SMALLEST[] = {0, 0, 0x80, 0x800, 0x10000};
    enum { REPLACEMENT = 0xfffd };
    ASSERT(*pos < text.size);
    const uint8_t first = text.data[(*pos)++];
    if (first < 0x80) {
        return first;
    }
    const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size - *pos < size - 1) {
        return REPLACEMENT;
    }
    uint32_t point = first & (0x7fU >> size);
    for (size_t i = 0; i < size - 1; i++) {
        const uint8_t next = text.data[*pos + i];
        if ((next & 0xc0) != 0x80) {
            return REPLACEMENT;
        }
        point = point << 6 | (next & 0x3f);
    }
    const bool surrogate = point >= 0xd800 && point <= 0xdfff;
    if (point < SMALLEST[size] || point > 0x10ffff || surrogate) {
        return REPLACEMENT;
    }
    *pos += size - 1;
    return point;
}

int backup_key_cluster_hash(const char *cluster, size_t size)
{
    const struct slice text = slice_of(cluster, size);
    uint32_t hash = 0;
    for (size_t pos = 0; pos < size;) {
        const uint32_t point = utf8_next(text, &pos);
        if (point >= 0x10000) {
            hash = hash * 31 + (0xd800 + ((point - 0x10000) >> 10));
            hash = hash * 31 + (0xdc00 + ((point - 0x10000) & 0x3ff));
        } else {
            hash = hash * 31 + point;
        }
    }
    /* Java's int wraps as two's complement, and its % keeps the sign as C's does. */
    return (int32_t)hash % 10000;
}

bool backup_key_hashed_cluster(struct slice folder, struct slice *ret_cluster)
{
    const struct slice hash = slice_before(folder, "_");
    int64_t value;
    if (hash.size == folder.size || !parse_i64((const char *)hash.data, hash.size, &value)) {
        return false;
    }
    const struct slice cluster = slice_of(folder.data + hash.size + 1, folder.size - hash.size - 1);
    if (cluster.size == 0 ||
        value != backup_key_cluster_hash((const char *)cluster.data, cluster.size)) {
        return false;
    }
    *ret_cluster = cluster;
    return true;
}

static bool split(const char *rest, struct parts *ret, const char **ret_why)
{
    ret->count = 0;
    for (const char *at = rest;; at++) {
        const size_t size = strcspn(at, "/");
        const struct slice part = slice_of(at, size);
        if (!backup_key_safe_component(part, ret_why)) {
            return false;
        }
        if (ret->count == PARTS_MAX) {
            return no(ret_why, NOT_A_KEY);
        }
        ret->at[ret->count++] = part;
        at += size;
        if (*at == '\0') {
            return true;
        }
    }
}

static bool parse_compression(struct slice text, enum codec_claim *ret, const char **ret_why)
{
    if (slice_is(text, "SNAPPY")) {
        *ret = CODEC_CLAIM_SNAPPY;
        return true;
    }
    if (slice_is(text, "NONE")) {
        *ret = CODEC_CLAIM_NONE;
        return true;
    }
    return no(ret_why, slice_is(text, "LZ4") ? "is LZ4, which Priam reserves and never writes"
                                             : "has an unknown compression");
}

static bool check_encryption(struct slice text, const char **ret_why)
{
    if (slice_is(text, "PLAINTEXT")) {
        return true;
    }
    return no(ret_why, slice_is(text, "PGP") ? "is encrypted (PGP)" : "has an unknown encryption");
}

/* Keyspaces and tables are words, and become folders of the target: those that begin with a dot are
 * Cassandra's for indexes, and ours. */
static bool check_folders(const struct backup_key *key, const char **ret_why)
{
    if (key->keyspace.data[0] == '.' || key->table_dir.data[0] == '.') {
        return no(ret_why, "has a keyspace or table that begins with '.'");
    }
    if (key->index_dir.size > 0 && key->index_dir.data[0] != '.') {
        return no(ret_why, "has an index folder that does not begin with '.'");
    }
    return true;
}

/* The last components, COMP/ENC/FILE, or FILE.COMP as release 3.1.68 alone wrote it (priam spec
 * 2.1): `plain` components come before them. */
static bool parse_v2_file(const struct parts *parts, size_t plain, struct backup_key *key,
                          const char **ret_why)
{
    if (parts->count == plain + 3) {
        key->file = parts->at[plain + 2];
        return parse_compression(parts->at[plain], &key->claim, ret_why) &&
               check_encryption(parts->at[plain + 1], ret_why);
    }
    if (parts->count != plain + 1 || key->kind == KEY_SECONDARY_INDEX_V2) {
        return no(ret_why, NOT_A_KEY);
    }
    const struct slice name = parts->at[plain];
    const uint8_t *dot = memrchr(name.data, '.', name.size);
    if (dot == NULL) {
        return no(ret_why, NOT_A_KEY);
    }
    key->file = slice_of(name.data, (size_t)(dot - name.data));
    const struct slice suffix = slice_of(dot + 1, name.size - key->file.size - 1);
    return backup_key_safe_component(key->file, ret_why) &&
           parse_compression(suffix, &key->claim, ret_why);
}

static bool v2_kind(struct slice text, enum key_kind *ret)
{
    if (slice_is(text, "SST_V2")) {
        *ret = KEY_SST_V2;
    } else if (slice_is(text, "SECONDARY_INDEX_V2")) {
        *ret = KEY_SECONDARY_INDEX_V2;
    } else if (slice_is(text, "META_V2")) {
        *ret = KEY_META_V2;
    } else {
        return false;
    }
    return true;
}

/* H_CLUSTER/TOKEN/TYPE/MS/[KS/TABLE/[INDEX/]]COMP/ENC/FILE */
static bool parse_v2(const struct parts *parts, struct backup_key *key, const char **ret_why)
{
    if (!backup_key_hashed_cluster(parts->at[0], &key->cluster)) {
        return no(ret_why, "has a hash that is not its cluster's");
    }
    key->token = parts->at[1];
    uint64_t ms;
    if (!parse_u64((const char *)parts->at[3].data, parts->at[3].size, &ms) ||
        ms > (uint64_t)TIME_MAX_MS) {
        return no(ret_why, "has an unreadable time");
    }
    key->time_ms = (int64_t)ms;
    if (key->kind == KEY_META_V2) {
        return parse_v2_file(parts, 4, key, ret_why);
    }
    if (parts->count < 7) {
        return no(ret_why, NOT_A_KEY);
    }
    key->keyspace = parts->at[4];
    key->table_dir = parts->at[5];
    const bool index = key->kind == KEY_SECONDARY_INDEX_V2;
    if (index) {
        key->index_dir = parts->at[6];
    }
    return check_folders(key, ret_why) && parse_v2_file(parts, index ? 7 : 6, key, ret_why);
}

static bool parse_v1_data(const struct parts *parts, struct backup_key *key, const char **ret_why)
{
    if (parts->count != 7 && parts->count != 8) {
        return no(ret_why, NOT_A_KEY);
    }
    key->keyspace = parts->at[5];
    key->file = parts->at[parts->count - 1];
    if (parts->count == 8) {
        key->table_dir = parts->at[6];
        return check_folders(key, ret_why);
    }
    /* Cassandra 1.0 kept all tables of a keyspace in one directory (priam spec 1.3). Its files
     * begin with the table: "users-g-5-Data.db", "users.by_mail-g-5-Data.db", "users.json". */
    key->table_dir = slice_before(key->file, "-.");
    if (key->table_dir.size == 0 || key->table_dir.size == key->file.size) {
        return no(ret_why, NOT_A_KEY);
    }
    return check_folders(key, ret_why);
}

/* REGION/CLUSTER/TOKEN/MINUTE/TYPE/[KS/TABLE/]FILE */
static bool parse_v1(const struct parts *parts, struct backup_key *key, const char **ret_why)
{
    key->region = parts->at[0];
    key->cluster = parts->at[1];
    key->token = parts->at[2];
    key->claim = CODEC_CLAIM_UNKNOWN;
    if (!parse_minute_ms((const char *)parts->at[3].data, parts->at[3].size, &key->time_ms) ||
        key->time_ms < 0) {
        return no(ret_why, "has an unreadable time");
    }
    const struct slice type = parts->at[4];
    if (slice_is(type, "SNAP") || slice_is(type, "SST")) {
        key->kind = slice_is(type, "SNAP") ? KEY_SNAP : KEY_SST;
        return parse_v1_data(parts, key, ret_why);
    }
    /* META_V2 below a minute was a trial of some releases: no data belongs to it (priam spec 1.4).
     */
    if ((!slice_is(type, "META") && !slice_is(type, "CL")) || parts->count != 6) {
        return no(ret_why, NOT_A_KEY);
    }
    key->kind = slice_is(type, "META") ? KEY_META : KEY_COMMITLOG;
    key->file = parts->at[5];
    return true;
}

bool backup_key_parse(const char *base, const char *key, struct backup_key *ret,
                      const char **ret_why)
{
    const size_t base_size = strlen(base);
    ASSERT(base_size == 0 || base[base_size - 1] == '/');
    if (strncmp(key, base, base_size) != 0) {
        return no(ret_why, "is not below the base");
    }
    const char *rest = key + base_size;
    if (base_size > 0) {
        rest += strspn(rest, "/");
    }
    struct parts parts;
    if (!split(rest, &parts, ret_why)) {
        return false;
    }
    /* The shortest forms: v2's META_V2 of release 3.1.68, and v1's META. */
    if (parts.count < 5) {
        return no(ret_why, NOT_A_KEY);
    }
    struct backup_key parsed = {0};
    const bool v2 = v2_kind(parts.at[2], &parsed.kind);
    if (!v2 && parts.count < 6) {
        return no(ret_why, NOT_A_KEY);
    }
    if (!(v2 ? parse_v2(&parts, &parsed, ret_why) : parse_v1(&parts, &parsed, ret_why))) {
        return false;
    }
    struct integer token;
    if (!integer_parse(parsed.token, &token)) {
        return no(ret_why, "has a token that is not a number");
    }
    *ret = parsed;
    return true;
}

bool backup_key_is_sorted_ms(int64_t time_ms)
{
    return time_ms >= INT64_C(1000000000000) && time_ms <= INT64_C(9999999999999);
}
