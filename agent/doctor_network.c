#include <inttypes.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/doctor.h"

enum {
    ID_SHOWN = 4, /* characters of an access key id: enough to tell two apart */
    /* S3 refuses a request whose time is 15 minutes off, and a restore then signs by its clock. */
    SKEW_REFUSED_MS = 15 * 60 * 1000,
    SKEW_WARNED_MS = 60 * 1000,
    /* Less than this is no time for a restore. */
    LIFE_SHORT_MS = 60 * 60 * 1000,
};

enum { SPAN_SIZE = 32 };

/* "45 s", "12 min", "5 h 58 min", "3 d 4 h". */
static const char *format_span(int64_t ms, char text[SPAN_SIZE])
{
    const int64_t s = ms < 0 ? 0 : ms / 1000;
    if (s < 120) {
        (void)snprintf(text, SPAN_SIZE, "%" PRId64 " s", s); /* fits, here and below */
    } else if (s < 7200) {
        (void)snprintf(text, SPAN_SIZE, "%" PRId64 " min", s / 60);
    } else if (s < 48 * 3600) {
        (void)snprintf(text, SPAN_SIZE, "%" PRId64 " h %" PRId64 " min", s / 3600, s / 60 % 60);
    } else {
        (void)snprintf(text, SPAN_SIZE, "%" PRId64 " d %" PRId64 " h", s / 86400, s / 3600 % 24);
    }
    return text;
}

/* What is in the environment stays as it was when the process began. */
static bool renews(const struct creds_value *value)
{
    return value->expires_ms != 0 && strcmp(value->source, "environment") != 0;
}

static void tell_credentials(struct findings *findings, const struct creds_value *value)
{
    static const char RENEW[] = "give credentials that renew themselves (a role, a profile), or be "
                                "sure that the restore ends before";
    char span[SPAN_SIZE];
    const size_t size = strlen(value->id);
    const char *id = value->id + (size > ID_SHOWN ? size - ID_SHOWN : size);
    const int64_t left_ms = value->expires_ms - clock_wall_ms();
    if (value->expires_ms == 0 && value->token[0] != '\0') {
        findings_warn(findings, "credentials", RENEW,
                      "%s: key ...%s, temporary, and not told until when", value->source, id);
    } else if (value->expires_ms == 0) {
        findings_ok(findings, "credentials", "%s: key ...%s, without an end", value->source, id);
    } else if (renews(value)) {
        findings_ok(findings, "credentials", "%s: key ...%s, for %s, renewed ahead of that",
                    value->source, id, format_span(left_ms, span));
    } else if (left_ms < LIFE_SHORT_MS) {
        findings_warn(findings, "credentials", RENEW, "%s: key ...%s, for %s, not renewed",
                      value->source, id, format_span(left_ms, span));
    } else {
        findings_ok(findings, "credentials", "%s: key ...%s, for %s, not renewed", value->source,
                    id, format_span(left_ms, span));
    }
}

static void check_credentials(struct doctor *doctor)
{
    if (doctor->s3.creds == NULL) {
        findings_skip(doctor->findings, "credentials", "requests are not signed (--no-sign)");
        return;
    }
    struct creds_value value;
    struct err e = ERR_INIT;
    if (creds_get(doctor->s3.creds, &value, &e) != 0) {
        findings_fail(doctor->findings, "credentials", &e);
        doctor->cut_off = "there are no credentials";
        return;
    }
    tell_credentials(doctor->findings, &value);
    creds_value_wipe(&value);
}

enum { WHERE_SIZE = 160 };

static void tell_addresses(const struct probe *probe, char text[WHERE_SIZE])
{
    if (probe->proxied) {
        (void)snprintf(text, WHERE_SIZE, "through the proxy at %s", probe->address); /* fits */
    } else if (probe->addresses4 + probe->addresses6 <= 1) {
        (void)snprintf(text, WHERE_SIZE, "connected to %s", probe->address);
    } else {
        (void)snprintf(text, WHERE_SIZE, "%u IPv4, %u IPv6 addresses, connected to %s",
                       probe->addresses4, probe->addresses6, probe->address);
    }
}

static void check_endpoint(struct doctor *doctor)
{
    struct probe *const probe = &doctor->probe;
    struct err e = ERR_INIT;
    if (s3_probe(doctor->s3.client, doctor->config.retry_for_ms, probe, &e) != 0) {
        findings_fail(doctor->findings, "endpoint", &e);
        doctor->cut_off = "the endpoint does not answer";
        return;
    }
    char where[WHERE_SIZE];
    tell_addresses(probe, where);
    const char *const tls = probe->tls[0] == '\0' ? "no TLS" : probe->tls;
    const char *const good = probe->tls[0] == '\0' ? "" : ", certificate good";
    /* Swift for one knows a request for S3 by its signature only. */
    findings_ok(doctor->findings, "endpoint",
                "%s: %s in %" PRIu64 " ms, %s%s, answered in %" PRIu64 " ms%s", probe->url, where,
                probe->connect_ms, tls, good, probe->answer_ms,
                probe->is_s3 ? "" : ", though not as S3 does");
}

static void check_clock(const struct doctor *doctor)
{
    struct findings *const findings = doctor->findings;
    const struct probe *const probe = &doctor->probe;
    if (!probe->has_date) {
        findings_skip(findings, "clock", "the store's time is not known");
        return;
    }
    char span[SPAN_SIZE];
    const bool behind = probe->skew_ms > 0;
    const int64_t off_ms = behind ? probe->skew_ms : -probe->skew_ms;
    const char *const side = behind ? "behind" : "ahead of";
    if (off_ms > SKEW_REFUSED_MS) {
        findings_warn(findings, "clock", "set this machine's clock, with chrony or NTP",
                      "%s %s the store's: S3 refuses that; a restore then signs by the store's",
                      format_span(off_ms, span), side);
    } else if (off_ms > SKEW_WARNED_MS) {
        findings_warn(findings, "clock", "set this machine's clock, with chrony or NTP",
                      "%s %s the store's", format_span(off_ms, span), side);
    } else {
        /* A Date has no fractions, and was written on the other side. */
        findings_ok(findings, "clock", "within %s of the store's",
                    format_span(off_ms + 1000, span));
    }
}

void doctor_network(struct doctor *doctor)
{
    if (doctor->s3.client == NULL) {
        return; /* a directory */
    }
    check_credentials(doctor);
    check_endpoint(doctor);
    check_clock(doctor);
}
