#include "codec/crc.h"

#include <pthread.h>
#include <string.h>

#include "agent/base/err.h"
#include "codec/crc_kind.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool use_clmul; /* set once, as is tables */
static struct crc_table tables[] = {
    [CRC_32] = {.polynomial = 0xedb88320, .width = 32},
    [CRC_32C] = {.polynomial = 0x82f63b78, .width = 32},
    [CRC_64NVME] = {.polynomial = 0x9a6c9329ac4bc9b5, .width = 64},
};

static const uint64_t x_to_0 = UINT64_C(1) << 63;
static const uint64_t x_to_1 = UINT64_C(1) << 62;

/* a * b mod P, registers in the upper bits. */
static uint64_t crc_multiply(const struct crc_table *table, uint64_t a, uint64_t b)
{
    const unsigned lift = 64 - table->width;
    const uint64_t polynomial = table->polynomial << lift;
    const uint64_t highest = UINT64_C(1) << lift; /* the highest power a remainder can have */
    uint64_t product = 0;
    for (uint64_t power = x_to_0; power >= highest; power >>= 1) {
        if ((a & power) != 0) {
            product ^= b;
        }
        b = (b & highest) != 0 ? ((b ^ highest) >> 1) ^ polynomial : b >> 1;
    }
    return product;
}

/* x^n mod P, in the upper bits. */
static uint64_t crc_power(const struct crc_table *table, unsigned n)
{
    uint64_t result = x_to_0;
    uint64_t square = x_to_1;
    for (unsigned left = n; left > 0; left >>= 1) {
        if ((left & 1) != 0) {
            result = crc_multiply(table, result, square);
        }
        square = crc_multiply(table, square, square);
    }
    return result;
}

/*
 * Sixteen bytes are low * x^64 + high; n bytes further on that is low * x^(8n + 64) + high *
 * x^(8n). One power less, because the product of two reflected 64-bit values has 127 bits and lies
 * one bit too low in 128.
 */
static struct crc_fold crc_fold_by(const struct crc_table *table, unsigned bytes)
{
    return (struct crc_fold){.low = crc_power(table, 8 * bytes + 64 - 1),
                             .high = crc_power(table, 8 * bytes - 1)};
}

static void crc_table_init(struct crc_table *table)
{
    ASSERT(table->width == 32 || table->width == 64);
    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t reg = byte;
        for (unsigned bit = 0; bit < 8; bit++) {
            reg = (reg & 1) != 0 ? (reg >> 1) ^ table->polynomial : reg >> 1;
        }
        table->slices[0][byte] = reg;
    }
    for (unsigned i = 1; i < 8; i++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            const uint64_t reg = table->slices[i - 1][byte];
            table->slices[i][byte] = (reg >> 8) ^ table->slices[0][reg & 0xff];
        }
    }
    table->powers[0] = crc_power(table, 8);
    for (unsigned i = 1; i < 64; i++) {
        table->powers[i] = crc_multiply(table, table->powers[i - 1], table->powers[i - 1]);
    }
    table->by_16 = crc_fold_by(table, 16);
    table->by_64 = crc_fold_by(table, 64);
}

static void crc_init(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        crc_table_init(&tables[i]);
    }
    use_clmul = crc_clmul_usable();
}

static uint64_t read_le64(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

uint64_t crc_table_update(const struct crc_table *table, uint64_t reg, struct slice bytes)
{
    const uint64_t(*const t)[256] = table->slices;
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    for (; left >= 8; at += 8, left -= 8) {
        const uint64_t word = read_le64(at) ^ reg;
        reg = t[7][word & 0xff] ^ t[6][word >> 8 & 0xff] ^ t[5][word >> 16 & 0xff] ^
              t[4][word >> 24 & 0xff] ^ t[3][word >> 32 & 0xff] ^ t[2][word >> 40 & 0xff] ^
              t[1][word >> 48 & 0xff] ^ t[0][word >> 56];
    }
    for (; left > 0; at++, left--) {
        reg = (reg >> 8) ^ t[0][(reg ^ *at) & 0xff];
    }
    return reg;
}

const struct crc_table *crc_table_of(enum crc_kind kind)
{
    ASSERT((size_t)kind < ARRAY_SIZE(tables));
    const int failed = pthread_once(&once, crc_init);
    ASSERT(failed == 0);
    return &tables[kind];
}

uint64_t crc_update(enum crc_kind kind, uint64_t crc, struct slice bytes)
{
    const struct crc_table *table = crc_table_of(kind);
    const uint64_t all = UINT64_MAX >> (64 - table->width);
    ASSERT(crc <= all);
    const uint64_t reg = crc ^ all;
    if (use_clmul && bytes.size >= CRC_CLMUL_SIZE_MIN) {
        return crc_clmul_update(table, reg, bytes) ^ all;
    }
    return crc_table_update(table, reg, bytes) ^ all;
}

uint64_t crc_combine(enum crc_kind kind, uint64_t crc_a, uint64_t crc_b, uint64_t size_b)
{
    const struct crc_table *table = crc_table_of(kind);
    const unsigned lift = 64 - table->width;
    /* A stands before size_b bytes more than it did: multiply by x^(8 * size_b). The inversions of
     * A and B cancel out. */
    uint64_t shifted = crc_a << lift;
    for (unsigned i = 0; size_b > 0; i++, size_b >>= 1) {
        if ((size_b & 1) != 0) {
            shifted = crc_multiply(table, shifted, table->powers[i]);
        }
    }
    return (shifted >> lift) ^ crc_b;
}
