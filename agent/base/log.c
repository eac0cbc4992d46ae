#include "agent/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/buf.h"
#include "agent/base/err.h"

enum { LOG_LINE_MAX = 4096 };

static _Atomic enum log_level shown = LOG_INFO;
static bool to_journal; /* set once, by log_init */

/* Under lock: what stands on the status line, so that a log line can be put above it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char status[256];

void log_set_level(enum log_level level)
{
    atomic_store(&shown, level);
}

enum log_level log_get_level(void)
{
    return atomic_load(&shown);
}

/* $JOURNAL_STREAM is device and inode of the journal's socket; what a shell redirected since is
 * another one, systemd.exec(5). */
void log_init(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    if (stream == NULL || fstat(STDERR_FILENO, &st) < 0) {
        return;
    }
    char own[64];
    const int size =
        snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    ASSERT(size > 0 && (size_t)size < sizeof(own));
    to_journal = strcmp(stream, own) == 0;
}

static const char *journal_prefix(enum log_level level)
{
    static const char *const PREFIX[] = {
        [LOG_ERROR] = "<3>", [LOG_WARN] = "<4>", [LOG_INFO] = "<6>", [LOG_DEBUG] = "<7>"};
    ASSERT((size_t)level < ARRAY_SIZE(PREFIX));
    return to_journal ? PREFIX[level] : "";
}

static const char *level_prefix(enum log_level level)
{
    static const char *const PREFIX[] = {[LOG_ERROR] = "error: ",
                                         [LOG_WARN] = "warning: ",
                                         [LOG_INFO] = "",
                                         [LOG_DEBUG] = "debug: "};
    ASSERT((size_t)level < ARRAY_SIZE(PREFIX));
    return PREFIX[level];
}

/* One write a line: threads and processes that share stderr do not mix theirs into it. */
static void write_all(const char *text, size_t size)
{
    while (size > 0) {
        const ssize_t n = write(STDERR_FILENO, text, size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return; /* nowhere left to say that stderr is gone */
        }
        text += n;
        size -= (size_t)n;
    }
}

void log_line(enum log_level level, const char *fmt, ...)
{
    if (level > log_get_level()) {
        return;
    }
    char text[LOG_LINE_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args); /* an over-long line is cut */
    va_end(args);
    err_clean_line(text);
    err_hide_signatures(text);

    char line[LOG_LINE_MAX + 512];
    (void)pthread_mutex_lock(&lock);
    const char *erase = status[0] != '\0' ? "\r\033[K" : "";
    const int size = snprintf(line, sizeof(line), "%s%spenates: %s%s\n%s", erase,
                              journal_prefix(level), level_prefix(level), text, status);
    ASSERT(size > 0 && (size_t)size < sizeof(line));
    write_all(line, (size_t)size);
    (void)pthread_mutex_unlock(&lock);
}

void log_status(const char *text)
{
    char line[sizeof(status) + 16];
    (void)pthread_mutex_lock(&lock);
    const bool stood = status[0] != '\0';
    (void)snprintf(status, sizeof(status), "%s", text == NULL ? "" : text);
    if (stood || status[0] != '\0') {
        const int size = snprintf(line, sizeof(line), "\r\033[K%s", status);
        ASSERT(size > 0 && (size_t)size < sizeof(line));
        write_all(line, (size_t)size);
    }
    (void)pthread_mutex_unlock(&lock);
}
