/*
 * fuzz_codec: any split of a stream, decoded in any order, is the stream. The last bytes of the
 * input choose the parts, so that stored files serve as a corpus as they are.
 */
#ifndef PENATES_TESTS_FUZZ_CODEC_H
#define PENATES_TESTS_FUZZ_CODEC_H

#include <string.h>

#include "agent/base/err.h"
#include "tests/unit/codec_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void fuzz_codec(const struct codec *codec, const uint8_t *data, size_t size)
{
    size_t sizes[4] = {1, 1, 1, 1};
    uint8_t choices[2 * ARRAY_SIZE(sizes)];
    if (size >= sizeof choices) {
        size -= sizeof choices;
        memcpy(choices, data + size, sizeof choices);
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            sizes[i] = (size_t)choices[2 * i] | (size_t)(choices[2 * i + 1] & 3) << 8;
        }
    }
    const struct slice stored = slice_of(data, size);
    const struct rig_splits splits = {.sizes = sizes, .count = ARRAY_SIZE(sizes)};
    struct rig_result whole = rig_decode_whole(codec, stored);
    struct rig_result split = rig_decode(codec, stored, splits, true);
    ASSERT(split.cut == whole.cut);
    ASSERT((split.decode == CODEC_OK) == (whole.decode == CODEC_OK));
    if (whole.plain != NULL) {
        ASSERT(split.size == whole.size);
        ASSERT(memcmp(split.plain, whole.plain, whole.size) == 0);
    }
    rig_result_done(&whole);
    rig_result_done(&split);
}

#endif
