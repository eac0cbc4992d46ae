/* metrics: the report as a Prometheus textfile, for node_exporter; see report.h. */
#include "agent/report.h"

#include <inttypes.h>

#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/options.h"
#include "agent/out_file.h"
#include "agent/report_internal.h"

static void put(FILE *file, const char *name, const char *help, const char *command, uint64_t value)
{
    (void)fprintf(file,
                  "# HELP penates_%s %s\n# TYPE penates_%s gauge\n"
                  "penates_%s{command=\"%s\"} %" PRIu64 "\n",
                  name, help, name, name, command, value); /* out_file_close tells */
}

static void put_seconds(FILE *file, const char *name, const char *help, const char *command,
                        uint64_t ms)
{
    (void)fprintf(file,
                  "# HELP penates_%s %s\n# TYPE penates_%s gauge\n"
                  "penates_%s{command=\"%s\"} %" PRIu64 ".%03" PRIu64 "\n",
                  name, help, name, name, command, ms / 1000, ms % 1000); /* as above */
}

int report_write_metrics(const struct report *report, const char *path, struct err *e)
{
    struct out_file out __attribute__((cleanup(out_file_done))) = {0};
    if (out_file_open(&out, path, e) != 0) {
        return -1;
    }
    const struct report_counts counts = report_count_all(report);
    const char *command = options_command(report->config->command)->name;
    const bool good = report->failure.kind == ERR_NONE;
    FILE *file = out.file;
    put(file, "success", "1 if the last run did what was asked, else 0.", command, good ? 1 : 0);
    put(file, "exit_code", "Exit code of the last run.", command,
        (uint64_t)err_exit_code(report->failure.kind));
    put_seconds(file, "end_timestamp_seconds", "When the last run ended, since 1970.", command,
                (uint64_t)clock_wall_ms());
    put_seconds(file, "duration_seconds", "How long the last run took, without --after.", command,
                counts.duration_ms);
    put(file, "files_wanted", "Files that the last run was to finish.", command,
        counts.wanted.files);
    put(file, "files", "Files that are finished.", command, counts.finished.files);
    put(file, "files_unchecked", "Finished files whose content nothing could check.", command,
        counts.unchecked.files);
    put(file, "fetched_bytes", "Stored bytes of the files that the last run finished.", command,
        counts.finished.bytes - counts.earlier.bytes);
    put(file, "plain_bytes", "Bytes of the finished files on disk.", command, counts.plain_bytes);
    put(file, "thawed_objects", "Archived objects that S3 brought back for the last run.", command,
        report->thawed.objects);
    put_seconds(file, "thaw_seconds", "How long the last run waited for them.", command,
                report->thawed.wait_ms);
    put(file, "requests", "Requests that the last run sent.", command, report->stats.requests);
    put(file, "retries", "Requests that the last run tried again.", command, report->stats.retries);
    return out_file_close(&out, e);
}
