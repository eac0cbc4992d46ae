#include <string.h>

#include "codec/codec.h"

static const char xerial_magic[] = "\x82SNAPPY"; /* its NUL is part of the magic */
static const char framed_magic[] = "\xff\x06\0\0sNaPpY";

_Static_assert(sizeof framed_magic - 1 == CODEC_DETECT_SIZE, "the longest magic sets the size");

static bool starts_with(struct slice bytes, const char *magic, size_t size)
{
    return bytes.size >= size && memcmp(bytes.data, magic, size) == 0;
}

const struct codec *codec_detect(enum codec_claim claim, struct slice first)
{
    if (claim == CODEC_CLAIM_NONE) {
        return &codec_none;
    }
    if (starts_with(first, xerial_magic, sizeof xerial_magic)) {
        return &codec_snappy;
    }
    if (starts_with(first, framed_magic, sizeof framed_magic - 1)) {
        return &codec_snappy_framed;
    }
    return claim == CODEC_CLAIM_SNAPPY ? NULL : &codec_none;
}
