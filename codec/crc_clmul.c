/*
 * CRCs by folding (Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ",
 * Intel 2009): 64 bytes at a time in four lanes, so that the multiplier's latency is hidden, then
 * 16 at a time. What is left is 16 bytes with the same remainder, which the table turns into the
 * sum; at 16 bytes that costs less than the reduction of the paper and is right for every width.
 */
#include "codec/crc_kind.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "agent/base/err.h"

#define USES_CLMUL __attribute__((target("pclmul,sse4.1")))

enum { LANE = 16, STRIDE = CRC_CLMUL_SIZE_MIN };

_Static_assert(STRIDE == 4 * LANE, "the four lanes are loaded without asking");

bool crc_clmul_usable(void)
{
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}

USES_CLMUL static inline __m128i load(const uint8_t *bytes)
{
    return _mm_loadu_si128((const __m128i_u *)bytes);
}

USES_CLMUL static inline __m128i factors(const struct crc_fold *fold)
{
    return _mm_set_epi64x((long long)fold->high, (long long)fold->low);
}

/* `lane`, moved on by the distance of `by`, onto `next`. */
USES_CLMUL static inline __m128i fold(__m128i lane, __m128i by, __m128i next)
{
    const __m128i low = _mm_clmulepi64_si128(lane, by, 0x00);
    const __m128i high = _mm_clmulepi64_si128(lane, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

USES_CLMUL uint64_t crc_clmul_update(const struct crc_table *table, uint64_t reg,
                                     struct slice bytes)
{
    ASSERT(bytes.size >= CRC_CLMUL_SIZE_MIN);
    const uint8_t *at = bytes.data;
    const uint8_t *const end = bytes.data + bytes.size;
    const __m128i by_64 = factors(&table->by_64);
    const __m128i by_16 = factors(&table->by_16);
    __m128i a = _mm_xor_si128(load(at), _mm_set_epi64x(0, (long long)reg));
    __m128i b = load(at + LANE);
    __m128i c = load(at + 2 * LANE);
    __m128i d = load(at + 3 * LANE);
    for (at += STRIDE; end - at >= STRIDE; at += STRIDE) {
        a = fold(a, by_64, load(at));
        b = fold(b, by_64, load(at + LANE));
        c = fold(c, by_64, load(at + 2 * LANE));
        d = fold(d, by_64, load(at + 3 * LANE));
    }
    a = fold(fold(fold(a, by_16, b), by_16, c), by_16, d);
    for (; end - at >= LANE; at += LANE) {
        a = fold(a, by_16, load(at));
    }
    uint8_t rest[LANE];
    _mm_storeu_si128((__m128i_u *)rest, a);
    reg = crc_table_update(table, 0, slice_of(rest, sizeof rest));
    return crc_table_update(table, reg, slice_of(at, (size_t)(end - at)));
}

#else

#include "agent/base/err.h"

bool crc_clmul_usable(void)
{
    return false;
}

uint64_t crc_clmul_update(const struct crc_table *table, uint64_t reg, struct slice bytes)
{
    ASSERT(!"reached without the instruction");
    return crc_table_update(table, reg, bytes);
}

#endif
