#include "agent/doctor.h"

#include "agent/base/mem.h"
#include "agent/commands.h"
#include "agent/out_file.h"
#include "agent/source_watch.h"

/* Twice what a slow name server and a distant store take; short enough to wait for at a terminal.
 */
enum { CHECK_MS = 15000 };

uint64_t doctor_check_ms(const struct doctor *doctor)
{
    const uint64_t asked_ms = doctor->config.retry_for_ms;
    return asked_ms > CHECK_MS ? asked_ms : CHECK_MS;
}

void doctor_object_done(struct doctor_object *object)
{
    free(object->key);
    free(object->etag);
    free(object->version_id);
}

static void doctor_done(struct doctor *doctor)
{
    doctor_object_done(&doctor->manifest);
    doctor_object_done(&doctor->smallest);
    catalog_free(doctor->catalog);
    source_free(doctor->source);
    findings_free(doctor->findings);
}

static void open_source(struct doctor *doctor)
{
    struct source *source = NULL;
    struct err e = ERR_INIT;
    if (source_open(&doctor->config, &source, &e) != 0) {
        findings_fail(doctor->findings, "source", &e);
        return;
    }
    doctor->s3 = source_s3_parts(source);
    doctor->source = source_watch_new(source);
}

static void show(const struct doctor *doctor)
{
    if (doctor->config.json) {
        const char *name = doctor->source != NULL ? doctor->source->name : doctor->config.source;
        findings_json(doctor->findings, name, stdout);
    } else {
        findings_print(doctor->findings, stdout);
    }
}

int doctor_run(const struct config *config, struct err *e)
{
    struct doctor doctor
        __attribute__((cleanup(doctor_done))) = {.config = *config, .findings = findings_new()};
    open_source(&doctor);
    if (doctor.source != NULL) {
        doctor_network(&doctor);
        doctor_backup(&doctor);
    }
    doctor_machine(&doctor);
    doctor_stack(&doctor);
    show(&doctor);
    const struct err *failure = findings_failure(doctor.findings);
    if (failure != NULL) {
        *e = *failure;
        return -1;
    }
    return out_file_flush_stdout(e);
}
