#include "agent/findings.h"

#include <stdarg.h>

#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/json_write.h"
#include "agent/text_table.h"

enum {
    FINDINGS_MAX = 64, /* a dozen checks, and one more for each of 16 directories */
    TEXT_MAX = 2048,   /* longer than any err */
};

struct finding {
    const char *name;
    enum finding_state state;
    char *text;
    char *next_step;     /* NULL: nothing to do */
    uint64_t elapsed_ms; /* since the finding before */
};

struct findings {
    struct finding items[FINDINGS_MAX];
    unsigned count;
    uint64_t last_ms;
    struct err failure;
};

const char *finding_state_name(enum finding_state state)
{
    static const char *const NAMES[] = {
        [FINDING_OK] = "ok",
        [FINDING_WARNED] = "warned",
        [FINDING_FAILED] = "failed",
        [FINDING_SKIPPED] = "skipped",
    };
    ASSERT((unsigned)state < ARRAY_SIZE(NAMES));
    return NAMES[state];
}

struct findings *findings_new(void)
{
    struct findings *findings = (struct findings *)xcalloc(1, sizeof(*findings));
    findings->last_ms = clock_mono_ms();
    return findings;
}

void findings_free(struct findings *findings)
{
    if (findings == NULL) {
        return;
    }
    for (unsigned i = 0; i < findings->count; i++) {
        free(findings->items[i].text);
        free(findings->items[i].next_step);
    }
    free(findings);
}

static char *clean_copy(const char *text)
{
    char *copy = xstrdup(text);
    err_clean_line(copy);
    return copy;
}

static void add(struct findings *findings, const char *name, enum finding_state state,
                const char *text, const char *next_step)
{
    ASSERT(findings->count < FINDINGS_MAX);
    const uint64_t now_ms = clock_mono_ms();
    findings->items[findings->count++] = (struct finding){
        .name = name,
        .state = state,
        .text = clean_copy(text),
        .next_step = next_step == NULL ? NULL : clean_copy(next_step),
        .elapsed_ms = now_ms - findings->last_ms,
    };
    findings->last_ms = now_ms;
}

static void __attribute__((format(printf, 5, 0)))
add_formatted(struct findings *findings, const char *name, enum finding_state state,
              const char *next_step, const char *fmt, va_list args)
{
    char text[TEXT_MAX];
    (void)vsnprintf(text, sizeof(text), fmt, args); /* a long text is cut, not lost */
    add(findings, name, state, text, next_step);
}

void findings_ok(struct findings *findings, const char *name, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add_formatted(findings, name, FINDING_OK, NULL, fmt, args);
    va_end(args);
}

void findings_skip(struct findings *findings, const char *name, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add_formatted(findings, name, FINDING_SKIPPED, NULL, fmt, args);
    va_end(args);
}

void findings_warn(struct findings *findings, const char *name, const char *next_step,
                   const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add_formatted(findings, name, FINDING_WARNED, next_step, fmt, args);
    va_end(args);
}

void findings_warn_err(struct findings *findings, const char *name, const struct err *e)
{
    ASSERT(e->kind != ERR_NONE);
    add(findings, name, FINDING_WARNED, e->text, err_next_step(e));
}

void findings_fail(struct findings *findings, const char *name, const struct err *e)
{
    ASSERT(e->kind != ERR_NONE);
    if (findings->failure.kind == ERR_NONE) {
        findings->failure = *e;
    }
    add(findings, name, FINDING_FAILED, e->text, err_next_step(e));
}

const struct err *findings_failure(const struct findings *findings)
{
    return findings->failure.kind == ERR_NONE ? NULL : &findings->failure;
}

void findings_print(const struct findings *findings, FILE *file)
{
    static const struct text_column COLUMNS[] = {
        {"CHECK", false}, {"STATE", false}, {"WHAT", false}};
    struct text_table *table = text_table_new(COLUMNS, ARRAY_SIZE(COLUMNS));
    for (unsigned i = 0; i < findings->count; i++) {
        const struct finding *item = &findings->items[i];
        text_table_add(table, item->name);
        text_table_add(table, finding_state_name(item->state));
        text_table_add(table, item->text);
        if (item->next_step != NULL) {
            autofree char *next = xasprintf("-> %s", item->next_step);
            text_table_add(table, "");
            text_table_add(table, "");
            text_table_add(table, next);
        }
    }
    text_table_print(table, "", file);
    text_table_free(table);
}

void findings_json(const struct findings *findings, const char *source, FILE *file)
{
    struct json json = JSON_INIT(file, true);
    json_open_object(&json, NULL);
    json_string(&json, "format", "penates-doctor");
    json_u64(&json, "version", 1);
    json_string(&json, "source", source);
    json_bool(&json, "ok", findings->failure.kind == ERR_NONE);
    json_u64(&json, "exit_code", (uint64_t)err_exit_code(findings->failure.kind));
    json_open_array(&json, "checks");
    for (unsigned i = 0; i < findings->count; i++) {
        const struct finding *item = &findings->items[i];
        json_open_object(&json, NULL);
        json_string(&json, "name", item->name);
        json_string(&json, "state", finding_state_name(item->state));
        json_string(&json, "text", item->text);
        json_string(&json, "next_step", item->next_step);
        json_seconds(&json, "seconds", item->elapsed_ms);
        json_close(&json);
    }
    json_close(&json);
    json_close(&json);
    json_end(&json);
}
