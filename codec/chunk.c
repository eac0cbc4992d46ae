#include "agent/base/err.h"
#include "agent/base/mem.h"
#include "codec/framer.h"

const char *codec_status_text(enum codec_status status)
{
    switch (status) {
    case CODEC_OK:
        return "is valid";
    case CODEC_TRUNCATED:
        return "ends early";
    case CODEC_CORRUPT:
        return "is not valid";
    case CODEC_LIMIT:
        return "has a block larger than the limit";
    case CODEC_STOPPED:
        return "was stopped";
    }
    err_bug(__FILE__, __LINE__, "a status of enum codec_status");
}

void chunk_done(struct chunk *chunk)
{
    free(chunk->carried);
    *chunk = (struct chunk){0};
}

void scratch_reserve(struct scratch *scratch, size_t size)
{
    if (size > scratch->capacity) {
        /* Not a realloc: that would copy bytes that nobody wants any more. */
        scratch_done(scratch);
        scratch->data = xrealloc(NULL, size, 1);
        scratch->capacity = size;
    }
}

void scratch_done(struct scratch *scratch)
{
    free(scratch->data);
    *scratch = (struct scratch){0};
}
