#include <stdarg.h>
#include <string.h>

#include "agent/plan_work.h"

/* Returns the index of the new line, or of the last one when the list is full. */
static uint32_t add(struct plan *plan, struct plan_note **notes, uint32_t *count,
                    const char *subject, const char *why)
{
    ASSERT(*count <= PLAN_NOTES_MAX);
    if (*count == PLAN_NOTES_MAX) {
        (*notes)[PLAN_NOTES_MAX - 1].subject = "and more";
        (*notes)[PLAN_NOTES_MAX - 1].why = "not named one by one";
        return PLAN_NOTES_MAX - 1;
    }
    *notes = (struct plan_note *)xrealloc(*notes, *count + 1, sizeof(**notes));
    (*notes)[*count] = (struct plan_note){
        .subject = arena_intern(plan->strings, subject, strlen(subject)),
        .why = arena_intern(plan->strings, why, strlen(why)),
    };
    return (*count)++;
}

uint32_t plan_notes_skipped(struct plan *plan, const char *subject, const char *why)
{
    return add(plan, &plan->skipped, &plan->skipped_count, subject, why);
}

void plan_notes_count(struct plan *plan, uint32_t skipped, uint64_t files, uint64_t bytes)
{
    ASSERT(skipped < plan->skipped_count);
    plan->skipped[skipped].files += files;
    plan->skipped[skipped].bytes = plan_add_sizes(plan->skipped[skipped].bytes, bytes);
}

void plan_notes_missing(struct plan *plan, const char *key, const char *why)
{
    const uint32_t at = add(plan, &plan->missing, &plan->missing_count, key, why);
    plan->missing[at].files++;
    plan->missing[at].bytes = PLAN_SIZE_UNKNOWN; /* of what is not there */
    plan->missing_total++;
}

void plan_notes_warn(struct plan *plan, const char *subject, uint64_t files, uint64_t bytes,
                     const char *why, ...)
{
    char text[512];
    va_list args;
    va_start(args, why);
    (void)vsnprintf(text, sizeof(text), why, args); /* a cut warning is still one */
    va_end(args);
    const uint32_t at = add(plan, &plan->warnings, &plan->warning_count, subject, text);
    plan->warnings[at].files += files;
    plan->warnings[at].bytes = plan_add_sizes(plan->warnings[at].bytes, bytes);
}

static int compare_notes(const void *a, const void *b)
{
    const struct plan_note *x = (const struct plan_note *)a;
    const struct plan_note *y = (const struct plan_note *)b;
    const int order = strcmp(x->subject, y->subject);
    return order != 0 ? order : strcmp(x->why, y->why);
}

void plan_notes_sort(struct plan *plan)
{
    if (plan->skipped_count > 0) {
        qsort(plan->skipped, plan->skipped_count, sizeof(*plan->skipped), compare_notes);
    }
}
