/*
 * digest: what an SSTable says about itself in Digest.* and TOC.txt. Pure.
 *
 *   Digest.crc32    3.0 and later: CRC-32 of all of Data.db, as decimal text
 *   Digest.adler32  2.2: Adler-32, likewise
 *   Digest.sha1     2.1 (version "ka"): Adler-32 in decimal, in spite of the name; before: SHA-1 in
 *                   hex, two spaces, the file's name
 *
 * (DataIntegrityMetadata.ChecksumWriter of those releases.) Before 2.2 the sum of a compressed
 * SSTable left out the checksums between the chunks, so it is not the sum of the file and proves
 * nothing to us.
 */
#ifndef PENATES_DIGEST_H
#define PENATES_DIGEST_H

#include "agent/hash.h"
#include "agent/plan.h"

enum { DIGEST_TEXT_MAX = 64 << 10 }; /* of Digest.* and TOC.txt, which have some hundred bytes */

/* What the digest of this SSTable holds; HASH_NONE: it has none, or none that proves anything. */
enum hash_kind digest_kind(const struct plan *plan, const struct plan_sstable *sstable);

/* False: not a value of that kind. */
bool digest_parse(enum hash_kind kind, struct slice text, struct hash_value *ret);

/*
 * The first component that TOC.txt names and the plan lacks, in two classes: without needed ones
 * Cassandra does not read the SSTable, the others it rebuilds or does without. "" when all are
 * there. Both slices borrow the text.
 */
struct toc_missing {
    struct slice needed;
    struct slice optional;
};
struct toc_missing toc_compare(const struct plan *plan, const struct plan_sstable *sstable,
                               struct slice text);

#endif
