/*
 * crc_kind: one CRC as the two ways of computing it see it. Inside codec/ only.
 *
 * The registers are reflected: the lowest bit of the lowest byte is the highest power of x.
 * Products are taken in 64 bits whatever the width, with the register in the upper bits, where the
 * top bit is x^0; so the 32-bit sums and the 64-bit one are the same code.
 */
#ifndef PENATES_CODEC_CRC_KIND_H
#define PENATES_CODEC_CRC_KIND_H

#include "codec/crc.h"

/* x^n mod P, for folding 16 bytes n bits further on: one factor for each half of them. */
struct crc_fold {
    uint64_t low, high;
};

struct crc_table {
    /* set once */
    uint64_t polynomial;          /* reflected, without its highest power */
    unsigned width;               /* 32 or 64 */
    uint64_t slices[8][256];      /* [i][b]: the register after byte b and i zero bytes */
    uint64_t powers[64];          /* [i]: x^(8 * 2^i) mod P: what 2^i bytes shift by */
    struct crc_fold by_16, by_64; /* bytes */
};

/* The tables of a kind, made on the first call of all. Any thread. */
const struct crc_table *crc_table_of(enum crc_kind kind);

/* The register after `bytes`, from the register before; no inversions. */
uint64_t crc_table_update(const struct crc_table *table, uint64_t reg, struct slice bytes);

/* crc_clmul.c: the same by carry-less multiplication. For CRC_CLMUL_SIZE_MIN bytes and more, on
 * processors where crc_clmul_usable() says so. */
enum { CRC_CLMUL_SIZE_MIN = 64 };
bool crc_clmul_usable(void);
uint64_t crc_clmul_update(const struct crc_table *table, uint64_t reg, struct slice bytes);

#endif
