#include "agent/check.h"

#include <string.h>

#include "agent/base/err.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"

enum { MD5_SIZE = 16, MD5_HEX_SIZE = 2 * MD5_SIZE };

bool check_parse_etag(const char *etag, struct hash_value *ret, unsigned *ret_parts)
{
    struct hash_value value = {.size = MD5_SIZE};
    const size_t size = strlen(etag);
    if (size < MD5_HEX_SIZE || !parse_hex(etag, MD5_HEX_SIZE, value.bytes, MD5_SIZE)) {
        return false;
    }
    uint64_t parts = 0;
    if (size > MD5_HEX_SIZE &&
        (etag[MD5_HEX_SIZE] != '-' ||
         !parse_u64(etag + MD5_HEX_SIZE + 1, size - MD5_HEX_SIZE - 1, &parts) || parts == 0 ||
         parts > CHECK_PARTS_MAX)) {
        return false;
    }
    *ret = value;
    *ret_parts = (unsigned)parts;
    return true;
}

static enum hash_kind hash_of_checksum(enum s3_checksum_kind kind)
{
    static const enum hash_kind KINDS[] = {
        [S3_CHECKSUM_NONE] = HASH_NONE,     [S3_CHECKSUM_CRC32] = HASH_CRC32,
        [S3_CHECKSUM_CRC32C] = HASH_CRC32C, [S3_CHECKSUM_CRC64NVME] = HASH_CRC64NVME,
        [S3_CHECKSUM_SHA1] = HASH_SHA1,     [S3_CHECKSUM_SHA256] = HASH_SHA256,
    };
    ASSERT((size_t)kind < ARRAY_SIZE(KINDS));
    return KINDS[kind];
}

/* A checksum as it is offered, by a listing or an answer. */
struct offer {
    enum hash_kind kind;
    bool composite;
    unsigned parts; /* of a composite one, 0: not told */
};

/* The banner's order, top to bottom. `sizes_max`: of more parts the sizes cannot be had. */
static void decide(const struct check_facts *facts, const struct offer *offer, bool etag_is_md5,
                   unsigned sizes_max, struct check_choice *ret)
{
    struct hash_value md5 = {.size = 0};
    unsigned etag_parts = 0;
    const bool has_etag = check_parse_etag(facts->etag, &md5, &etag_parts);
    const bool has_md5 = has_etag && etag_is_md5;
    const bool digest_is_sum = hash_is_sum(facts->digest);
    const bool composite_fits =
        offer->parts == 1 || (offer->parts > 1 && offer->parts <= sizes_max);

    *ret = (struct check_choice){.plain = digest_is_sum ? facts->digest : HASH_NONE};
    if (offer->kind != HASH_NONE && !offer->composite && hash_is_sum(offer->kind)) {
        ret->proof = PROOF_CHECKSUM;
    } else if (digest_is_sum) {
        return;
    } else if (offer->kind != HASH_NONE && (!offer->composite || composite_fits)) {
        ret->proof = PROOF_CHECKSUM;
        ret->parts = offer->composite ? offer->parts : 0;
    } else if (has_md5 && etag_parts <= 1) {
        ret->proof = PROOF_ETAG;
        ret->parts = etag_parts;
    } else if (facts->digest != HASH_NONE) {
        ret->plain = facts->digest;
    } else if (has_md5 && etag_parts <= sizes_max) {
        ret->proof = PROOF_ETAG;
        ret->parts = etag_parts;
    }
    if (ret->proof == PROOF_CHECKSUM) {
        ret->stored = offer->kind;
        ret->wants_head = !facts->whole;
    } else if (ret->proof == PROOF_ETAG) {
        ret->stored = HASH_MD5;
        ret->expected = md5;
    }
    ret->wants_sizes = ret->parts > 1 ? ret->parts : 0;
}

static struct offer listed_offer(const struct check_facts *facts)
{
    struct hash_value md5;
    unsigned parts = 0;
    if (!check_parse_etag(facts->etag, &md5, &parts)) {
        parts = 0;
    }
    /* A listing does not count the parts of a composite checksum; the ETag does. */
    return (struct offer){.kind = hash_of_checksum(facts->offered),
                          .composite = facts->offered_composite,
                          .parts = parts};
}

void check_choose(const struct check_facts *facts, struct check_choice *ret)
{
    const struct offer offer = listed_offer(facts);
    decide(facts, &offer, true, CHECK_PARTS_MAX, ret);
}

static struct hash_value value_of(const struct s3_checksum *checksum)
{
    ASSERT(checksum->size <= sizeof(checksum->bytes));
    struct hash_value value = {.size = checksum->size};
    memcpy(value.bytes, checksum->bytes, checksum->size);
    return value;
}

void check_settle(struct check_choice *choice, const struct check_facts *facts,
                  const struct s3_get *first)
{
    const struct check_choice before = *choice;
    struct offer offer = listed_offer(facts);
    if (facts->whole) {
        offer = (struct offer){.kind = hash_of_checksum(first->checksum.kind),
                               .composite = first->checksum.composite,
                               .parts = first->checksum.parts};
    }
    /* Sizes were asked for one number of parts; another number cannot be put together. */
    const bool other_parts =
        offer.composite && offer.parts > 1 && offer.parts != before.wants_sizes;
    if (other_parts) {
        offer.kind = HASH_NONE;
    }
    decide(facts, &offer, !first->sse_kms, before.wants_sizes, choice);
    if (choice->proof == PROOF_CHECKSUM) {
        choice->expected = facts->whole ? value_of(&first->checksum) : before.expected;
    }
}

void check_take_head(struct check_choice *choice, const struct s3_checksum *checksum)
{
    ASSERT(choice->proof == PROOF_CHECKSUM);
    if (hash_of_checksum(checksum->kind) == choice->stored &&
        checksum->composite == (choice->parts > 0) &&
        (!checksum->composite || checksum->parts == choice->parts)) {
        choice->expected = value_of(checksum);
    }
}

bool check_is_ordered(const struct check_choice *choice)
{
    return choice->proof != PROOF_NONE && (choice->parts > 0 || !hash_is_sum(choice->stored));
}

struct composer {
    struct hash *bytes;    /* of the bytes, or of one part's */
    struct hash *values;   /* of the parts' values; NULL: one value over all */
    const uint64_t *sizes; /* of the parts */
    unsigned parts, part;  /* how many, and the one under way */
    uint64_t left;         /* bytes of it to come */
};

struct composer *composer_new(const struct check_choice *choice, const uint64_t *sizes)
{
    ASSERT(check_is_ordered(choice));
    ASSERT(choice->parts == 0 || sizes != NULL);
    struct composer *composer = xcalloc(1, sizeof(*composer));
    composer->bytes = hash_new(choice->stored);
    composer->parts = choice->parts;
    if (choice->parts > 0 && composer->bytes != NULL) {
        composer->values = hash_new(choice->stored);
        composer->sizes = sizes;
        composer->left = sizes[0];
    }
    if (composer->bytes == NULL || (choice->parts > 0 && composer->values == NULL)) {
        composer_free(composer);
        return NULL;
    }
    return composer;
}

static void end_part(struct composer *composer)
{
    const struct hash_value value = hash_finish(composer->bytes);
    hash_update(composer->values, slice_of(value.bytes, value.size));
    composer->part++;
    composer->left = composer->part < composer->parts ? composer->sizes[composer->part] : 0;
}

void composer_update(struct composer *composer, struct slice bytes)
{
    if (composer->values == NULL) {
        hash_update(composer->bytes, bytes);
        return;
    }
    while (bytes.size > 0) {
        ASSERT(composer->part < composer->parts); /* the sizes were seen to add up */
        const size_t now = bytes.size < composer->left ? bytes.size : (size_t)composer->left;
        hash_update(composer->bytes, slice_of(bytes.data, now));
        composer->left -= now;
        bytes = slice_of(bytes.data + now, bytes.size - now);
        if (composer->left == 0) {
            end_part(composer);
        }
    }
}

struct hash_value composer_finish(struct composer *composer)
{
    return hash_finish(composer->values == NULL ? composer->bytes : composer->values);
}

void composer_free(struct composer *composer)
{
    if (composer != NULL) {
        hash_free(composer->bytes);
        hash_free(composer->values);
        free(composer);
    }
}
