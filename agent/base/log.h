/*
 * log: lines on stderr, whole lines only, from any thread. codec, s3 and base log at debug only;
 * the agent says each failure once. Never a secret, a query string or an Authorization header.
 * On a terminal one status line may stand below the log; log_line keeps them apart.
 */
#ifndef PENATES_BASE_LOG_H
#define PENATES_BASE_LOG_H

#include "agent/base/cleanup.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Looks where stderr goes. When systemd says that it is the journal, lines begin with their
 * priority
 * ("<3>", sd-daemon(3)). Once, before any thread. */
void log_init(void);

void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* One line "penates: <level>: <text>" ("penates: <text>" at info). Control characters become '?'.
 */
void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

/* Replaces the status line of a terminal; NULL or "" removes it. Only progress.c and thaw.c call
 * this, one after the other. */
void log_status(const char *text);

#endif
