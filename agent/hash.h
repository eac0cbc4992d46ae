/*
 * hash: the sums and digests that S3 and Cassandra keep, behind one face. CRCs and Adler-32 are
 * sums: any core may sum any piece, and pieces combine. The others need all bytes in order. Results
 * are bytes as they are written down, most significant first. Any thread, one at a time per hash.
 */
#ifndef PENATES_HASH_H
#define PENATES_HASH_H

#include "agent/base/buf.h"

enum hash_kind {
    HASH_NONE,
    HASH_CRC32,
    HASH_CRC32C,
    HASH_CRC64NVME,
    HASH_ADLER32,
    HASH_MD5,
    HASH_SHA1,
    HASH_SHA256,
};

enum { HASH_SIZE_MAX = 32 };

struct hash_value {
    size_t size; /* 0: none */
    uint8_t bytes[HASH_SIZE_MAX];
};

bool hash_value_equal(const struct hash_value *a, const struct hash_value *b);

/* A literal such as "CRC-32", for messages. */
const char *hash_name(enum hash_kind kind);

/* True for CRCs and Adler-32. */
bool hash_is_sum(enum hash_kind kind);
uint64_t hash_sum_start(enum hash_kind kind);
uint64_t hash_sum_update(enum hash_kind kind, uint64_t sum, struct slice bytes);
/* The sum of A followed by B, which has size_b bytes. */
uint64_t hash_sum_combine(enum hash_kind kind, uint64_t sum_a, uint64_t sum_b, uint64_t size_b);
struct hash_value hash_sum_value(enum hash_kind kind, uint64_t sum);

/* In-order hashing, of every kind but none. */
struct hash;
/* NULL when the crypto library refuses the kind, as FIPS mode refuses MD5. */
struct hash *hash_new(enum hash_kind kind);
void hash_update(struct hash *hash, struct slice bytes);
/* The value of all since new or the last finish; begins anew. */
struct hash_value hash_finish(struct hash *hash);
void hash_free(struct hash *hash); /* NULL is fine */

#endif
