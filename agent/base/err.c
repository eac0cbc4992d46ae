#include "agent/base/err.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

/* One row a kind; the exit codes are sysexits' and are part of the command-line contract. */
static const struct {
    const char *name;
    int exit_code;
    const char *next_step;
} KINDS[] = {
    [ERR_NONE] = {"none", 0, ""},
    [ERR_CONFIG] = {"usage", 64, "see penates --help"},
    [ERR_RETRY] = {"unreachable", 69,
                   "check network and endpoint, then run the same command again"},
    [ERR_SLOW_DOWN] = {"throttled", 69,
                       "wait, or use fewer --connections, then run the same command again"},
    [ERR_AUTH] = {"denied", 77,
                  "check credentials and policy; penates policy prints what is needed"},
    [ERR_NOT_FOUND] = {"not-found", 66, "check the source; penates list shows what is there"},
    [ERR_NO_BACKUP] = {"no-backup", 66, "penates list shows what is there"},
    [ERR_CHANGED] = {"changed", 75, "run the same command again to plan with the new object"},
    [ERR_CORRUPT] = {"corrupt", 65, "choose another restore point with --at"},
    [ERR_TRUNCATED] = {"truncated", 65, "choose another restore point with --at"},
    [ERR_LIMIT] = {"limit", 65, "see penates help for the limits"},
    [ERR_CREATE] = {"cannot-create", 73, "make room or give the right to write, then run again"},
    [ERR_DISK] = {"disk", 74, "check the disk, then run the same command again"},
    [ERR_REFUSED] = {"refused", 78, "nothing was changed; see penates help restore"},
    [ERR_COMMAND] = {"command", 75,
                     "the files are in place; the same command runs only this again"},
    [ERR_CANCELLED] = {"interrupted", 75, "run the same command again to go on"},
    [ERR_BUG] = {"bug", 70, "please report it with the command and this line"},
};
_Static_assert(ARRAY_SIZE(KINDS) == ERR_KIND_COUNT, "one row for each kind");

void err_clean_line(char *text)
{
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        const unsigned char next = (unsigned char)text[1];
        /* U+0080 to U+009F drive a terminal too: U+009B is another ESC [. */
        if (c == 0xc2 && next >= 0x80 && next <= 0x9f) {
            *text++ = '?';
            *text = '?';
        } else if (c < 0x20 || c == 0x7f) {
            *text = '?';
        }
    }
}

/* Of what signs a URL, or is half of that. */
static bool is_secret_name(const char *text)
{
    static const char *const NAMES[] = {"Signature=", "Security-Token="};
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        if (strncasecmp(text, NAMES[i], strlen(NAMES[i])) == 0) {
            return true;
        }
    }
    return false;
}

void err_hide_signatures(char *text)
{
    for (; *text != '\0'; text++) {
        if (is_secret_name(text)) {
            const size_t size = strcspn(text, "& '\"");
            memset(text, '*', size);
            text += size - 1;
        }
    }
}

static void __attribute__((format(printf, 3, 0)))
set_text(struct err *e, enum err_kind kind, const char *fmt, va_list args)
{
    ASSERT(kind != ERR_NONE && (size_t)kind < ARRAY_SIZE(KINDS));
    *e = (struct err){.kind = kind};
    (void)vsnprintf(e->text, sizeof(e->text), fmt, args); /* a long text is cut, not lost */
    err_clean_line(e->text);
    err_hide_signatures(e->text);
}

int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    set_text(e, kind, fmt, args);
    va_end(args);
    return -1;
}

int err_set_sys(struct err *e, enum err_kind kind, int sys, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    set_text(e, kind, fmt, args);
    va_end(args);
    const size_t used = strlen(e->text);
    char reason[128];
    (void)snprintf(e->text + used, sizeof(e->text) - used, ": %s",
                   strerror_r(sys, reason, sizeof(reason)));
    e->sys = sys;
    return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
    ASSERT(e->kind != ERR_NONE);
    char text[sizeof(e->text)];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args); /* cut as above */
    va_end(args);
    err_clean_line(text);
    err_hide_signatures(text);
    const size_t used = strlen(text);
    (void)snprintf(text + used, sizeof(text) - used, ": %.*s", (int)(sizeof(text) - used), e->text);
    memcpy(e->text, text, sizeof(text));
    return -1;
}

int err_hint(struct err *e, const char *fmt, ...)
{
    ASSERT(e->kind != ERR_NONE);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(e->hint, sizeof(e->hint), fmt, args);
    va_end(args);
    err_clean_line(e->hint);
    err_hide_signatures(e->hint);
    return -1;
}

int err_exit_code(enum err_kind kind)
{
    ASSERT((size_t)kind < ARRAY_SIZE(KINDS));
    return KINDS[kind].exit_code;
}

const char *err_next_step(const struct err *e)
{
    ASSERT((size_t)e->kind < ARRAY_SIZE(KINDS));
    return e->hint[0] != '\0' ? e->hint : KINDS[e->kind].next_step;
}

const char *err_kind_name(enum err_kind kind)
{
    ASSERT((size_t)kind < ARRAY_SIZE(KINDS));
    return KINDS[kind].name;
}

bool err_is_transient(enum err_kind kind)
{
    return kind == ERR_RETRY || kind == ERR_SLOW_DOWN;
}

void err_bug(const char *file, int line, const char *condition)
{
    (void)fprintf(stderr, "penates: error: bug at %s:%d: %s does not hold; %s\n", file, line,
                  condition, KINDS[ERR_BUG].next_step);
    _exit(KINDS[ERR_BUG].exit_code);
}
