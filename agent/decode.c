#include "agent/decode.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/interrupt.h"
#include "agent/base/mem.h"
#include "agent/decode_output.h"
#include "codec/codec.h"
#include "codec/snappy_block.h"

enum {
    PART_SIZE = 1 << 20,       /* reads stay cheap; decoding waits for no more than this */
    BLOCK_SIZE_MAX = 64 << 20, /* the format allows 2 GiB; writers use 32 KiB to 4 MiB */
};

static const char HINT_BAD_INPUT[] =
    "fetch the file again and compare its size and checksum with the object's";

struct decoding {
    /* set once */
    const char *name; /* of the input, for messages */
    int fd;
    struct err *e; /* of the caller, for the way through the codec */
    /* moved by the loop */
    uint8_t *part;    /* PART_SIZE bytes */
    size_t part_size; /* less than PART_SIZE: the last one */
    uint64_t total_size;
    struct decode_output out;
};

static int open_input(struct decoding *decoding, const char *path, struct err *e)
{
    if (path == NULL || strcmp(path, "-") == 0) {
        decoding->name = "stdin";
        decoding->fd = STDIN_FILENO;
        return 0;
    }
    decoding->name = path;
    decoding->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (decoding->fd < 0) {
        const enum err_kind kind = errno == ENOENT ? ERR_NOT_FOUND : ERR_CONFIG;
        (void)err_set_sys(e, kind, errno, "'%s'", path);
        return err_hint(e, "name a file that can be read, or '-' for stdin");
    }
    struct stat status;
    if (fstat(decoding->fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        (void)err_set_sys(e, ERR_CONFIG, EISDIR, "'%s'", path);
        return err_hint(e, "name one file; 'penates restore' takes directories");
    }
    return 0;
}

/* Fills the part, unless the input ends before. Pipes give less at a time than is asked for. */
static int read_part(struct decoding *decoding, struct err *e)
{
    decoding->part_size = 0;
    while (decoding->part_size < PART_SIZE) {
        if (interrupt_asked()) {
            return err_set(e, ERR_CANCELLED, "'%s': interrupted", decoding->name);
        }
        const ssize_t size = read(decoding->fd, decoding->part + decoding->part_size,
                                  PART_SIZE - decoding->part_size);
        if (size == 0) {
            break;
        }
        if (size < 0 && errno != EINTR) {
            return err_set_sys(e, ERR_DISK, errno, "'%s'", decoding->name);
        }
        decoding->part_size += size < 0 ? 0 : (size_t)size;
    }
    decoding->total_size += decoding->part_size;
    return 0;
}

static struct slice part_bytes(const struct decoding *decoding)
{
    return slice_of(decoding->part, decoding->part_size);
}

static int fail_codec(const struct decoding *decoding, enum codec_status status, struct err *e)
{
    ASSERT(status != CODEC_OK);
    if (status == CODEC_STOPPED) {
        return -1; /* the output has said why */
    }
    if (status == CODEC_TRUNCATED) {
        (void)err_set(e, ERR_TRUNCATED, "'%s': ends early, after %" PRIu64 " bytes", decoding->name,
                      decoding->total_size);
    } else {
        (void)err_set(e, status == CODEC_LIMIT ? ERR_LIMIT : ERR_CORRUPT,
                      "'%s': %s, before byte %" PRIu64, decoding->name, codec_status_text(status),
                      decoding->total_size);
    }
    return err_hint(e, "%s", HINT_BAD_INPUT);
}

static int on_plain(void *ctx, uint64_t offset, struct slice plain)
{
    struct decoding *decoding = ctx;
    (void)offset; /* one thread decodes in order */
    return decode_output_write(&decoding->out, plain, decoding->e);
}

static enum codec_status decode_part(struct decoding *decoding, const struct codec *codec,
                                     struct framer *framer, struct scratch *scratch)
{
    struct chunk chunk;
    enum codec_status status = codec->cut(framer, part_bytes(decoding), &chunk);
    if (status == CODEC_OK) {
        status = codec->decode(&chunk, scratch, on_plain, decoding);
        chunk_done(&chunk);
    }
    return status;
}

/* From the first part, which has been read, to the last. */
static int decode_stream(struct decoding *decoding, const struct codec *codec, struct err *e)
{
    const struct codec_limits limits = {.block_size_max = BLOCK_SIZE_MAX};
    struct framer *framer = codec->framer_new(&limits);
    struct scratch scratch = {0};
    int result = 0;
    enum codec_status status;
    bool last;
    do {
        last = decoding->part_size < PART_SIZE;
        status = decode_part(decoding, codec, framer, &scratch);
        if (status == CODEC_OK && !last) {
            result = read_part(decoding, e);
        }
    } while (status == CODEC_OK && result == 0 && !last);
    if (status == CODEC_OK && result == 0) {
        status = codec->finish(framer);
    }
    scratch_done(&scratch);
    codec->framer_free(framer);
    return status == CODEC_OK ? result : fail_codec(decoding, status, e);
}

static int fail_raw_limit(const struct decoding *decoding, struct err *e)
{
    (void)err_set(e, ERR_LIMIT, "'%s': one raw block of more than %d MiB", decoding->name,
                  BLOCK_SIZE_MAX >> 20);
    return err_hint(e, "this is hardly a raw Snappy block: look at what wrote it");
}

/* The whole input is one block, so all of it must be here before any of it can be decoded. */
static int decode_raw(struct decoding *decoding, struct err *e)
{
    autobuf struct buf block = BUF_INIT(BLOCK_SIZE_MAX);
    while (decoding->part_size > 0) {
        if (!buf_append(&block, decoding->part, decoding->part_size)) {
            return fail_raw_limit(decoding, e);
        }
        if (read_part(decoding, e) < 0) {
            return -1;
        }
    }
    const struct slice bytes = slice_of(block.data, block.size);
    size_t size;
    enum codec_status status = snappy_block_plain_size(bytes, &size);
    if (status != CODEC_OK) {
        return fail_codec(decoding, status, e);
    }
    if (size > BLOCK_SIZE_MAX) {
        return fail_raw_limit(decoding, e);
    }
    autofree uint8_t *plain = xrealloc(NULL, size, 1);
    status = snappy_block_decode(bytes, plain, size);
    if (status != CODEC_OK) {
        return fail_codec(decoding, status, e);
    }
    return decode_output_write(&decoding->out, slice_of(plain, size), e);
}

static int decode_input(struct decoding *decoding, const struct config *config, struct err *e)
{
    if (read_part(decoding, e) < 0) {
        return -1;
    }
    if (decoding->part_size == 0) {
        return fail_codec(decoding, CODEC_TRUNCATED, e); /* even an empty file has a header */
    }
    const struct codec *codec = codec_detect(CODEC_CLAIM_SNAPPY, part_bytes(decoding));
    if (codec == NULL && !config->decode_raw) {
        (void)err_set(e, ERR_CORRUPT, "'%s': does not begin like a Snappy stream", decoding->name);
        return err_hint(e, "use --raw if this is one raw Snappy block");
    }
    /* Only now, so that a wrong input leaves no trace at the output. */
    if (decode_output_open(&decoding->out, config->decode_out, e) < 0) {
        return -1;
    }
    const int result = codec == NULL ? decode_raw(decoding, e) : decode_stream(decoding, codec, e);
    return result < 0 ? -1 : decode_output_commit(&decoding->out, e);
}

int decode_run(const struct config *config, struct err *e)
{
    ASSERT(config->command == COMMAND_DECODE);
    struct decoding decoding = {.fd = -1, .e = e, .out = DECODE_OUTPUT_INIT};
    int result = open_input(&decoding, config->argument, e);
    if (result == 0) {
        autofree uint8_t *part = xrealloc(NULL, PART_SIZE, 1);
        decoding.part = part;
        result = decode_input(&decoding, config, e);
    }
    decode_output_done(&decoding.out);
    if (decoding.fd > STDIN_FILENO) {
        (void)close(decoding.fd); /* was only read */
    }
    return result;
}
