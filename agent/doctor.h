/*
 * doctor: what a restore needs, each thing looked at on its own, for `penates doctor`.
 *
 *     doctor.c: in order ─▶ doctor_network  credentials, endpoint, clock: the way to the store
 *                        ─▶ doctor_backup   list, region, backup, objects, get, encryption
 *                        ─▶ doctor_machine  target, disk, limits
 *                        ─▶ doctor_stack    the stack that is to be signalled (stack/)
 *                                                  └─▶ findings: the table
 *
 * A check that failed does not stop the others, unless they could only say the same again. One
 * thread.
 */
#ifndef PENATES_DOCTOR_H
#define PENATES_DOCTOR_H

#include "agent/catalog.h"
#include "agent/findings.h"
#include "agent/source_s3.h"
#include "s3/probe.h"

/* An object of the backup that may be fetched for a try. */
struct doctor_object {
    char *key; /* NULL: none was seen */
    char *etag, *version_id;
    uint64_t size;
};
void doctor_object_done(struct doctor_object *object);

struct doctor {
    struct config config; /* as given; doctor_backup chooses a token where none is chosen */
    struct findings *findings;
    struct source *source;         /* a watch, see source_watch.h; NULL: it cannot be opened */
    struct source_s3_parts s3;     /* of it; all NULL: a directory */
    const char *cut_off;           /* why the store cannot be asked, a literal; NULL: it can */
    struct probe probe;            /* the endpoint's answer, if it was asked and gave one */
    struct catalog *catalog;       /* NULL: not listed */
    struct err listing;            /* why not, when it was tried */
    struct doctor_object manifest; /* of the newest restore point */
    struct doctor_object smallest; /* of those in the sample */
};

void doctor_network(struct doctor *doctor);
void doctor_backup(struct doctor *doctor);
void doctor_machine(const struct doctor *doctor);
void doctor_stack(const struct doctor *doctor);

/* How long a check may take that waits for the network. */
uint64_t doctor_check_ms(const struct doctor *doctor);

#endif
