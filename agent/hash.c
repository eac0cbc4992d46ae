#include "agent/hash.h"

#include <openssl/evp.h>
#include <string.h>
#include <zlib.h>

#include "agent/base/err.h"
#include "agent/base/mem.h"
#include "codec/crc.h"

struct hash {
    enum hash_kind kind;
    uint64_t sum;        /* of a sum */
    EVP_MD_CTX *context; /* of the others */
    const EVP_MD *digest;
};

bool hash_value_equal(const struct hash_value *a, const struct hash_value *b)
{
    return a->size > 0 && a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

const char *hash_name(enum hash_kind kind)
{
    static const char *const NAMES[] = {
        [HASH_NONE] = "none",        [HASH_CRC32] = "CRC-32",
        [HASH_CRC32C] = "CRC-32C",   [HASH_CRC64NVME] = "CRC-64/NVME",
        [HASH_ADLER32] = "Adler-32", [HASH_MD5] = "MD5",
        [HASH_SHA1] = "SHA-1",       [HASH_SHA256] = "SHA-256",
    };
    ASSERT((size_t)kind < ARRAY_SIZE(NAMES));
    return NAMES[kind];
}

bool hash_is_sum(enum hash_kind kind)
{
    return kind == HASH_CRC32 || kind == HASH_CRC32C || kind == HASH_CRC64NVME ||
           kind == HASH_ADLER32;
}

static enum crc_kind crc_kind_of(enum hash_kind kind)
{
    ASSERT(hash_is_sum(kind) && kind != HASH_ADLER32);
    return kind == HASH_CRC32 ? CRC_32 : kind == HASH_CRC32C ? CRC_32C : CRC_64NVME;
}

uint64_t hash_sum_start(enum hash_kind kind)
{
    ASSERT(hash_is_sum(kind));
    return kind == HASH_ADLER32 ? 1 : 0; /* RFC 1950, section 8.2: Adler-32 starts with 1 */
}

uint64_t hash_sum_update(enum hash_kind kind, uint64_t sum, struct slice bytes)
{
    if (kind == HASH_ADLER32) {
        return adler32_z((uLong)sum, bytes.data, bytes.size);
    }
    return crc_update(crc_kind_of(kind), sum, bytes);
}

uint64_t hash_sum_combine(enum hash_kind kind, uint64_t sum_a, uint64_t sum_b, uint64_t size_b)
{
    if (kind == HASH_ADLER32) {
        ASSERT(size_b <= INT64_MAX);
        return adler32_combine((uLong)sum_a, (uLong)sum_b, (z_off_t)size_b);
    }
    return crc_combine(crc_kind_of(kind), sum_a, sum_b, size_b);
}

struct hash_value hash_sum_value(enum hash_kind kind, uint64_t sum)
{
    ASSERT(hash_is_sum(kind));
    struct hash_value value = {.size = kind == HASH_CRC64NVME ? 8 : 4};
    for (size_t i = 0; i < value.size; i++) {
        value.bytes[i] = (uint8_t)(sum >> (8 * (value.size - 1 - i)));
    }
    return value;
}

struct hash *hash_new(enum hash_kind kind)
{
    ASSERT(kind != HASH_NONE);
    struct hash *hash = xcalloc(1, sizeof(*hash));
    hash->kind = kind;
    if (hash_is_sum(kind)) {
        hash->sum = hash_sum_start(kind);
        return hash;
    }
    hash->digest = kind == HASH_MD5 ? EVP_md5() : kind == HASH_SHA1 ? EVP_sha1() : EVP_sha256();
    hash->context = EVP_MD_CTX_new();
    ASSERT(hash->context != NULL);
    if (EVP_DigestInit_ex(hash->context, hash->digest, NULL) != 1) {
        hash_free(hash);
        return NULL;
    }
    return hash;
}

void hash_update(struct hash *hash, struct slice bytes)
{
    if (hash->context == NULL) {
        hash->sum = hash_sum_update(hash->kind, hash->sum, bytes);
        return;
    }
    const int ok = EVP_DigestUpdate(hash->context, bytes.data, bytes.size);
    ASSERT(ok == 1);
}

struct hash_value hash_finish(struct hash *hash)
{
    if (hash->context == NULL) {
        const struct hash_value value = hash_sum_value(hash->kind, hash->sum);
        hash->sum = hash_sum_start(hash->kind);
        return value;
    }
    struct hash_value value = {.size = 0};
    unsigned size = 0;
    int ok = EVP_DigestFinal_ex(hash->context, value.bytes, &size);
    ASSERT(ok == 1 && size <= HASH_SIZE_MAX);
    value.size = size;
    ok = EVP_DigestInit_ex(hash->context, hash->digest, NULL);
    ASSERT(ok == 1);
    return value;
}

void hash_free(struct hash *hash)
{
    if (hash != NULL) {
        EVP_MD_CTX_free(hash->context);
        free(hash);
    }
}
