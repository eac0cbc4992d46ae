#include "agent/report.h"

#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/report_internal.h"

/* By bit of enum check. */
static const struct {
    enum check bit;
    const char *name, *text;
} CHECKS[REPORT_CHECKS] = {
    {CHECK_S3_CHECKSUM, "s3-checksum", "the checksum that S3 keeps"},
    {CHECK_DIGEST, "digest", "the SSTable's own digest"},
    {CHECK_MD5, "md5", "the MD5 of the ETag"},
    {CHECK_SIZE, "size", "the plain size"},
    {CHECK_STRUCTURE, "structure", "the structure of the compressed stream"},
    {CHECK_TOC, "toc", "TOC.txt, which names every component"},
};
_Static_assert(CHECK_S3_CHECKSUM == 1 << 0 && CHECK_TOC == 1 << (REPORT_CHECKS - 1),
               "a row for each bit of enum check");

/* The checks that a changed bit cannot get past. Size, structure and completeness are worth having,
 * but none of them reads the content. */
enum { CONTENT_CHECKS = CHECK_S3_CHECKSUM | CHECK_DIGEST | CHECK_MD5 };

const char *report_check_name(unsigned index)
{
    ASSERT(index < REPORT_CHECKS && CHECKS[index].bit == 1u << index);
    return CHECKS[index].name;
}

const char *report_check_text(unsigned index)
{
    ASSERT(index < REPORT_CHECKS && CHECKS[index].bit == 1u << index);
    return CHECKS[index].text;
}

const char *report_outcome_name(enum report_outcome outcome)
{
    static const char *const NAMES[] = {
        [REPORT_RESTORED] = "restored",       [REPORT_ALREADY_RESTORED] = "already-restored",
        [REPORT_VERIFIED] = "verified",       [REPORT_FAILED] = "failed",
        [REPORT_INTERRUPTED] = "interrupted",
    };
    ASSERT((unsigned)outcome < ARRAY_SIZE(NAMES));
    return NAMES[outcome];
}

struct report *report_new(const struct config *config, const char *source_name)
{
    struct report *report = (struct report *)xcalloc(1, sizeof(*report));
    report->config = config;
    report->source_name = xstrdup(source_name);
    report->started_ms = clock_wall_ms();
    report->start_ms = clock_mono_ms();
    report->after = config->after.count == 0 ? AFTER_NONE : AFTER_NOT_RUN;
    return report;
}

void report_free(struct report *report)
{
    if (report == NULL) {
        return;
    }
    free(report->states);
    free(report->checks);
    free(report->plain);
    free(report->source_name);
    free(report);
}

void report_set_plan(struct report *report, const struct plan *plan, const uint8_t *take)
{
    ASSERT(report->plan == NULL && plan != NULL);
    report->plan = plan;
    report->take = take;
    report->states = (uint8_t *)xcalloc(plan->file_count, sizeof(uint8_t));
    report->checks = (uint8_t *)xcalloc(plan->file_count, sizeof(uint8_t));
    report->plain = (uint64_t *)xcalloc(plan->file_count, sizeof(uint64_t));
}

void report_set_target(struct report *report, const struct target *target)
{
    ASSERT(report->plan != NULL && target != NULL);
    report->target = target;
}

void report_set_setup(struct report *report, const struct node_setup *setup)
{
    ASSERT(report->setup == NULL && setup != NULL);
    report->setup = setup;
}

void report_set_thawed(struct report *report, const struct thaw_count *count)
{
    ASSERT(report->plan != NULL && count->objects >= report->thawed.objects);
    report->thawed = *count;
}

void report_set_earlier(struct report *report, const struct target_summary *summary)
{
    ASSERT(report->plan == NULL);
    report->earlier = *summary;
}

void report_set_after(struct report *report, enum after_outcome outcome)
{
    ASSERT((outcome == AFTER_NONE) == (report->after == AFTER_NONE));
    report->after = outcome;
}

void report_add_file(void *ctx, const struct transfer_result *result)
{
    struct report *report = (struct report *)ctx;
    ASSERT(report->plan != NULL && result->file < report->plan->file_count);
    ASSERT(result->checks < 1u << REPORT_CHECKS);
    ASSERT(report->states[result->file] == REPORT_FILE_OPEN);
    report->states[result->file] = result->skipped ? REPORT_FILE_EARLIER : REPORT_FILE_DONE;
    report->checks[result->file] = (uint8_t)result->checks;
    report->plain[result->file] = result->plain_size;
}

void report_stop(struct report *report)
{
    if (!report->stopped) {
        report->duration_ms = clock_mono_ms() - report->start_ms;
        report->stopped = true;
    }
}

void report_end(struct report *report, enum report_outcome outcome, const struct s3_stats *stats,
                const struct err *failure)
{
    report->outcome = outcome;
    report_stop(report);
    report->stats = *stats;
    report->failure = failure == NULL ? ERR_INIT : *failure;
}

static void count(struct report_count *counter, uint64_t bytes)
{
    counter->files++;
    counter->bytes += bytes;
}

struct report_counts report_count_all(const struct report *report)
{
    const struct report_count earlier = {report->earlier.files_done, report->earlier.stored_done};
    struct report_counts counts = {.wanted = earlier,
                                   .finished = earlier,
                                   .earlier = earlier,
                                   .plain_bytes = report->earlier.plain_done,
                                   .duration_ms = report->duration_ms};
    const uint32_t file_count = report->plan == NULL ? 0 : report->plan->file_count;
    for (uint32_t i = 0; i < file_count; i++) {
        const uint64_t size = report->plan->files[i].size;
        if (report->take != NULL && report->take[i] == 0) {
            continue;
        }
        count(&counts.wanted, size);
        if (report->states[i] == REPORT_FILE_OPEN) {
            continue;
        }
        count(&counts.finished, size);
        counts.plain_bytes += report->plain[i];
        if (report->states[i] == REPORT_FILE_EARLIER) {
            count(&counts.earlier, size);
        }
        for (unsigned bit = 0; bit < REPORT_CHECKS; bit++) {
            if ((report->checks[i] & 1u << bit) != 0) {
                count(&counts.checked[bit], size);
            }
        }
        if ((report->checks[i] & CONTENT_CHECKS) == 0) {
            count(&counts.unchecked, size);
        }
    }
    ASSERT(counts.earlier.files <= counts.finished.files);
    ASSERT(counts.finished.files <= counts.wanted.files);
    return counts;
}
