/*
 * check: how the bytes of one object are proven: every byte by at least one check, the cheapest
 * that covers it. In order of cost:
 *
 *   1. x-amz-checksum-* that is a CRC of the whole object: parts are summed on any core
 *   2. the SSTable's own CRC-32 or Adler-32 of Data.db; taken along with 1 as well, for it also
 *      sees what broke before the upload
 *   3. x-amz-checksum-* that needs the bytes in order: SHA, or one of the upload's parts' checksums
 *   4. the MD5 that the ETag of a single-part upload is
 *   5. the SSTable's SHA-1 of Data.db (before Cassandra 2.1)
 *   6. the MD5 of the MD5s of an upload's parts, whose sizes take one HEAD a part
 *
 * An ETag of any other form, or of an object encrypted by KMS or the customer's key, proves
 * nothing. Pure; a composer belongs to one thread at a time.
 */
#ifndef PENATES_CHECK_H
#define PENATES_CHECK_H

#include "agent/hash.h"
#include "agent/plan.h"

enum { CHECK_PARTS_MAX = 10000 }; /* most parts of an S3 upload */

/* What is known before the first request. */
struct check_facts {
    const char *etag;              /* as listed */
    enum s3_checksum_kind offered; /* by the listing */
    bool offered_composite;
    bool whole;            /* one plain GET, whose answer brings the checksum itself */
    enum hash_kind digest; /* of the SSTable, for Data.db; HASH_NONE elsewhere */
};

enum check_proof { PROOF_NONE, PROOF_CHECKSUM, PROOF_ETAG };

struct check_choice {
    enum check_proof proof;     /* over the stored bytes */
    enum hash_kind stored;      /* its kind */
    unsigned parts;             /* 0: of all bytes; N: the value of the values of N upload parts */
    bool wants_head;            /* the checksum itself takes a HEAD */
    unsigned wants_sizes;       /* so many parts' sizes take a HEAD each, 0: none */
    enum hash_kind plain;       /* kind over the plain bytes, compared with the SSTable's digest */
    struct hash_value expected; /* of the stored bytes; size 0 while not known */
};

/* From the listing alone. */
void check_choose(const struct check_facts *facts, struct check_choice *ret);

/* With the first GET's answer: takes the checksum of a whole one, and drops what is no proof after
 * all. What is wanted of HEADs does not grow. */
void check_settle(struct check_choice *choice, const struct check_facts *facts,
                  const struct s3_get *first);

/* Takes the checksum that a HEAD brought; one of another kind than listed proves nothing. */
void check_take_head(struct check_choice *choice, const struct s3_checksum *checksum);

/* True when the stored bytes have to be seen in order. */
bool check_is_ordered(const struct check_choice *choice);

/* The 32 hex digits of "hex" (*ret_parts 0) or "hex-N". */
bool check_parse_etag(const char *etag, struct hash_value *ret, unsigned *ret_parts);

/* Hashes stored bytes in order, part by part of the upload where the choice says so. */
struct composer;
/* `sizes` of the choice's parts are borrowed. NULL when the crypto library refuses the kind. */
struct composer *composer_new(const struct check_choice *choice, const uint64_t *sizes);
void composer_update(struct composer *composer, struct slice bytes);
struct hash_value composer_finish(struct composer *composer);
void composer_free(struct composer *composer); /* NULL is fine */

#endif
