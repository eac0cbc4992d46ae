#include "agent/journal.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "codec/crc.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

enum {
    SUM_SIZE = 8,                   /* hex digits of a CRC-32 */
    PENDING_MAX = 16 * 1024 * 1024, /* a group of 512 files with the longest names takes 9 MiB */
};

/* The shape of each kind: 't' a text, 'n' a number. */
static const struct {
    const char *name, *shape;
} KINDS[] = {
    [JOURNAL_BEGIN] = {"begin", "ntn"},    [JOURNAL_DIR] = {"dir", "nt"},
    [JOURNAL_UNTIL] = {"until", "tn"},     [JOURNAL_RUN] = {"run", "ntnnnnnn"},
    [JOURNAL_FILE] = {"file", "tttnnnnn"}, [JOURNAL_CLEARED] = {"cleared", "t"},
    [JOURNAL_NUMBER] = {"number", "tn"},   [JOURNAL_ADDING] = {"adding", "tt"},
    [JOURNAL_ADDED] = {"added", "t"},      [JOURNAL_FAIL] = {"fail", "nt"},
};
_Static_assert(ARRAY_SIZE(KINDS) == JOURNAL_KIND_COUNT, "a shape for every kind");

struct journal {
    int fd;
    uint64_t size;      /* of the lines that are on disk */
    struct buf pending; /* lines noted since */
};

static uint32_t line_sum(const char *text, size_t size)
{
    return (uint32_t)crc_update(CRC_32, 0, slice_of(text, size));
}

/* Undoes %XX in place. */
static bool unescape(char *field)
{
    char *out = field;
    for (const char *in = field; *in != '\0'; in++) {
        if (*in == '%') {
            uint8_t byte;
            if (strnlen(in + 1, 2) < 2 || !parse_hex(in + 1, 2, &byte, 1) || byte == 0) {
                return false;
            }
            *out++ = (char)byte;
            in += 2;
        } else {
            *out++ = *in;
        }
    }
    *out = '\0';
    return true;
}

static bool parse_fields(char *text, struct journal_line *line)
{
    const char *const shape = KINDS[line->kind].shape;
    const size_t count = strlen(shape);
    ASSERT(count <= JOURNAL_FIELDS_MAX);
    for (size_t i = 0; i < count; i++) {
        char *const field = strsep(&text, "\t");
        if (field == NULL || !unescape(field)) {
            return false;
        }
        line->fields[i] = field;
        if (shape[i] == 'n' && !parse_u64(field, strlen(field), &line->numbers[i])) {
            return false;
        }
    }
    return text == NULL;
}

/* False: not a line that we wrote whole. `text` has no LF any more; it is taken apart. */
static bool parse_line(char *text, size_t size, struct journal_line *ret)
{
    uint8_t sum[SUM_SIZE / 2];
    if (size <= SUM_SIZE + 1 || memchr(text, '\0', size) != NULL) {
        return false;
    }
    const size_t body = size - SUM_SIZE - 1;
    if (text[body] != '\t' || !parse_hex(text + body + 1, SUM_SIZE, sum, sizeof sum)) {
        return false;
    }
    const uint32_t found =
        (uint32_t)sum[0] << 24 | (uint32_t)sum[1] << 16 | (uint32_t)sum[2] << 8 | (uint32_t)sum[3];
    if (found != line_sum(text, body)) {
        return false;
    }
    text[body] = '\0';
    const char *const name = strsep(&text, "\t");
    for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++) {
        if (strcmp(KINDS[i].name, name) == 0) {
            *ret = (struct journal_line){.kind = (enum journal_kind)i};
            return text != NULL && parse_fields(text, ret);
        }
    }
    return false;
}

/* Reads one line with its LF into `text`; false at the end, or when it is longer than any of ours.
 */
static bool read_line(FILE *file, char text[JOURNAL_LINE_MAX], size_t *ret_size)
{
    size_t size = 0;
    for (int c = getc_unlocked(file); c != EOF; c = getc_unlocked(file)) {
        if (size == JOURNAL_LINE_MAX) {
            return false;
        }
        text[size++] = (char)c;
        if (c == '\n') {
            *ret_size = size;
            return true;
        }
    }
    return false;
}

int journal_read(int fd, journal_line_fn *fn, void *ctx, uint64_t *ret_size, struct err *e)
{
    ASSERT(fd >= 0);
    ASSERT(fn != NULL);
    autofd int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    autofile FILE *file = own < 0 ? NULL : fdopen(own, "r");
    if (file == NULL || lseek(fd, 0, SEEK_SET) < 0) {
        return err_set_sys(e, ERR_DISK, errno, "reading the journal");
    }
    (void)take_fd(&own); /* the stream's now */
    autofree char *text = xcalloc(1, JOURNAL_LINE_MAX);
    uint64_t valid = 0;
    size_t size;
    struct journal_line line;
    while (read_line(file, text, &size) && parse_line(text, size - 1, &line)) {
        if (fn(ctx, &line, e) < 0) {
            return -1;
        }
        valid += size;
    }
    if (ferror(file)) {
        return err_set_sys(e, ERR_DISK, errno, "reading the journal");
    }
    *ret_size = valid;
    return 0;
}

int journal_open(int fd, uint64_t size, struct journal **ret, struct err *e)
{
    ASSERT(fd >= 0);
    autofd int own = fd;
    if (ftruncate(own, (off_t)size) < 0 || lseek(own, (off_t)size, SEEK_SET) < 0) {
        return err_set_sys(e, ERR_DISK, errno, "cutting the journal to %" PRIu64 " bytes", size);
    }
    struct journal *const journal = xcalloc(1, sizeof *journal);
    journal->fd = take_fd(&own);
    journal->size = size;
    journal->pending = BUF_INIT(PENDING_MAX);
    *ret = journal;
    return 0;
}

void journal_free(struct journal *journal)
{
    if (journal != NULL) {
        (void)close(journal->fd); /* every flush has synced */
        buf_done(&journal->pending);
        free(journal);
    }
}

static bool append_escaped(struct buf *out, const char *field)
{
    bool fits = true;
    for (; *field != '\0' && fits; field++) {
        const uint8_t byte = (uint8_t)*field;
        fits = byte < ' ' || byte == '%' ? buf_appendf(out, "%%%02x", byte)
                                         : buf_append_char(out, *field);
    }
    return fits;
}

void journal_add(struct journal *journal, enum journal_kind kind, const char *const *fields)
{
    ASSERT((size_t)kind < ARRAY_SIZE(KINDS));
    struct buf *const out = &journal->pending;
    const size_t start = out->size;
    bool fits = buf_append_str(out, KINDS[kind].name);
    for (size_t i = 0; KINDS[kind].shape[i] != '\0'; i++) {
        fits = fits && buf_append_char(out, '\t') && append_escaped(out, fields[i]);
    }
    const uint32_t sum = line_sum(out->data + start, out->size - start);
    fits = fits && buf_appendf(out, "\t%08" PRIx32 "\n", sum);
    ASSERT(fits && out->size - start <= JOURNAL_LINE_MAX); /* callers bound what they note */
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        const ssize_t written = write(fd, data, size);
        if (written < 0 && errno != EINTR) {
            return -1;
        }
        if (written > 0) {
            data += written;
            size -= (size_t)written;
        }
    }
    return 0;
}

int journal_flush(struct journal *journal, struct err *e)
{
    struct buf *const pending = &journal->pending;
    const size_t size = pending->size;
    const bool written =
        write_all(journal->fd, buf_str(pending), size) == 0 && fdatasync(journal->fd) == 0;
    const int why = errno;
    buf_clear(pending);
    if (written) {
        journal->size += size;
        return 0;
    }
    /* Half a line would hide those that a later flush appends. When the cut fails too, the reader
     * stops there all the same: what follows is fetched again, nothing wrong is believed. */
    if (ftruncate(journal->fd, (off_t)journal->size) == 0) {
        (void)lseek(journal->fd, (off_t)journal->size, SEEK_SET); /* a regular file: cannot fail */
    }
    const bool full = why == ENOSPC || why == EDQUOT;
    return err_set_sys(e, full ? ERR_CREATE : ERR_DISK, why, "writing the journal");
}

const char *journal_number(uint64_t number, char text[JOURNAL_NUMBER_SIZE])
{
    (void)snprintf(text, JOURNAL_NUMBER_SIZE, "%" PRIu64, number); /* 20 digits at most */
    return text;
}
