/*
 * err: one failure, worded where it happened.
 *
 * Every fallible function returns 0 or -1 and takes `struct err *e` last. The struct lives on the
 * caller's stack or in the object that failed; it is never global, so it needs no lock. The kind is
 * a decision (retry? which exit code?), the text is for the operator. First failure wins: a callee
 * fills it once, callers only wrap it with what they alone know.
 */
#ifndef PENATES_BASE_ERR_H
#define PENATES_BASE_ERR_H

#include "agent/base/cleanup.h"

enum err_kind {
    ERR_NONE,
    ERR_CONFIG,    /* options or configuration cannot be used as given */
    ERR_RETRY,     /* network or server trouble that outlived the retry budget */
    ERR_SLOW_DOWN, /* the store asked for less: 503 SlowDown, throttling */
    ERR_AUTH,      /* credentials, policy, KMS, clock: the store knows us not or will not let us */
    ERR_NOT_FOUND, /* an object or bucket that should be there is not */
    ERR_NO_BACKUP, /* nothing matches the selection, or the restore point is incomplete */
    ERR_CHANGED,   /* an object is no longer the one that was planned (ETag) */
    ERR_CORRUPT,   /* bytes contradict their format or a checksum */
    ERR_TRUNCATED, /* bytes end before their format does: not the same as corrupt */
    ERR_LIMIT,     /* input asks for more than a named limit allows */
    ERR_CREATE,    /* the target cannot be made: no space, no right */
    ERR_DISK,      /* write, fsync or rename failed */
    ERR_REFUSED,   /* refused for safety: target not empty, Cassandra running, unsafe names */
    ERR_COMMAND,   /* a program that was to run after the restore did not succeed */
    ERR_CANCELLED, /* interrupted; a rerun goes on */
    ERR_BUG,       /* a state that cannot be */
};

enum { ERR_KIND_COUNT = ERR_BUG + 1 };

struct err {
    enum err_kind kind;
    int http;       /* HTTP status that caused it, 0: none */
    int sys;        /* errno that caused it, 0: none */
    char text[768]; /* "<what>: <why>", one line, never a secret */
    char hint[256]; /* what to do next; empty: err_next_step() of the kind speaks */
};

#define ERR_INIT ((struct err){.kind = ERR_NONE})

/* Sets kind and text; control characters in the result become '?', so that a hostile key cannot
 * forge a line. Clears hint, http and sys. Always returns -1, so that `return err_set(...)` reads
 * well. */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As err_set, with ": <strerror(sys)>" appended and sys kept. */
int err_set_sys(struct err *e, enum err_kind kind, int sys, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Puts "<context>: " before the text. Always returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Says what to do next, in the imperative. Always returns -1. */
int err_hint(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Makes '?' of control characters: bytes from a key or a server must not be able to forge a line or
 * drive a terminal. err_set and its like have done so. */
void err_clean_line(char *text);

/* Makes '*' of what signs a presigned URL: one that was given in the wrong place must not get into
 * logs. err_set and its like, and the log, have done so. */
void err_hide_signatures(char *text);

/* The documented exit code of a kind (spec: README, "Exit codes"); ERR_NONE gives 0. */
int err_exit_code(enum err_kind kind);

/* What an operator can usually do about a kind; a literal. */
const char *err_next_step(const struct err *e);

/* A literal such as "corrupt"; for logs and reports. */
const char *err_kind_name(enum err_kind kind);

/* True when asking again could help: ERR_RETRY and ERR_SLOW_DOWN. */
bool err_is_transient(enum err_kind kind);

/* Stops the process with exit code 70 and one line. Used by ASSERT only. */
_Noreturn void err_bug(const char *file, int line, const char *condition);

/* On in every build: states that cannot be. Input is checked, never asserted. */
#define ASSERT(condition) ((condition) ? (void)0 : err_bug(__FILE__, __LINE__, #condition))

#endif
