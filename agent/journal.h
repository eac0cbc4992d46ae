/*
 * journal: an append-only record of what is finished. Lines of text, one fact each:
 *
 *     kind TAB field TAB field ... TAB crc32 LF
 *
 * Bytes below space and '%' in a field are written %XX. The CRC-32 (eight hex digits) runs over all
 * before its tab. A line counts when it is whole and its sum is right; the first that is not, and
 * all after it, is the tail that a crash tore off: it is cut and its files are fetched again.
 *
 * One thread at a time.
 */
#ifndef PENATES_JOURNAL_H
#define PENATES_JOURNAL_H

#include "agent/base/buf.h"
#include "agent/base/err.h"

/* The fields of each kind, all text; numbers are decimal, times milliseconds since 1970. */
enum journal_kind {
    JOURNAL_BEGIN, /* format version, identity, time: the first line, written once */
    JOURNAL_DIR,   /* index, path: of each --into directory */
    JOURNAL_UNTIL, /* token, time: what --at of this node resolved to */
    JOURNAL_RUN,   /* time, plan id, then files, stored bytes and plain bytes: of the plan, and of
                      what earlier runs finished of it */
    JOURNAL_FILE,  /* target, key, etag, stored size, plain size, checks, dir index, 1 if staged */
    JOURNAL_CLEARED, /* table folder: --replace has moved away all that it held */
    JOURNAL_NUMBER,  /* target of an SSTable's first file, its new number, 0: it keeps its own */
    JOURNAL_ADDING,  /* table folder as planned, and in the target: the numbers before this line
                        count, and its files are being moved in */
    JOURNAL_ADDED,   /* table folder as planned: its files are in; Cassandra may have renamed them,
                        or compacted them away, since */
    JOURNAL_FAIL,    /* time, text: how the run ended */
};

enum {
    JOURNAL_KIND_COUNT = JOURNAL_FAIL + 1,
    JOURNAL_FIELDS_MAX = 8,
    /* The longest is an identity of 16 KiB, each byte escaped. */
    JOURNAL_LINE_MAX = 64 * 1024,
};

struct journal_line {
    enum journal_kind kind;
    const char *fields[JOURNAL_FIELDS_MAX]; /* borrowed; as many as the kind has */
    uint64_t numbers[JOURNAL_FIELDS_MAX];   /* of the fields that are numbers, else 0 */
};

/* -1: stop, *e is set. */
typedef int journal_line_fn(void *ctx, const struct journal_line *line, struct err *e);

/* Reads from the start of the file to the first line that does not count; *ret_size is where that
 * is. ERR_DISK, or what `fn` says. */
int journal_read(int fd, journal_line_fn *fn, void *ctx, uint64_t *ret_size,
                 struct err *e) MUST_CHECK;

struct journal;

/* Owns `fd` (open for writing) from now on and cuts it to `size`. ERR_DISK. */
int journal_open(int fd, uint64_t size, struct journal **ret, struct err *e) MUST_CHECK;
void journal_free(struct journal *journal); /* NULL is fine; what was not flushed is dropped */

/* Notes a line for the next flush. The fields are those of the kind, numbers in their text form. */
void journal_add(struct journal *journal, enum journal_kind kind, const char *const *fields);

/* Appends the noted lines and brings them to disk. After a failure (ERR_CREATE: no space; ERR_DISK)
 * none of them is in the file. */
int journal_flush(struct journal *journal, struct err *e) MUST_CHECK;

/* "123": a number as a field; `text` lives as long as the caller keeps it. */
enum { JOURNAL_NUMBER_SIZE = 24 };
const char *journal_number(uint64_t number, char text[JOURNAL_NUMBER_SIZE]);

#endif
