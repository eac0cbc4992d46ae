/*
 * archive: what S3 cannot give at once. Pure: which objects are archived, going by a listing and by
 * a HEAD, and what has to be said to S3 to bring one back.
 *
 *     listing ─▶ archive_of_listing ─▶ HEAD, where it may be archived ─▶ archive_judge
 *
 * GLACIER_IR and the infrequent access classes are read like any other (S3 User Guide, "Storage
 * classes for rarely accessed objects").
 */
#ifndef PENATES_ARCHIVE_H
#define PENATES_ARCHIVE_H

#include "agent/config.h"
#include "s3/s3.h"

enum archive {
    ARCHIVE_NONE,         /* can be read */
    ARCHIVE_GLACIER,      /* storage class, "S3 Glacier Flexible Retrieval" */
    ARCHIVE_DEEP_ARCHIVE, /* storage class */
    ARCHIVE_ACCESS,       /* tier of INTELLIGENT_TIERING */
    ARCHIVE_DEEP_ACCESS,  /* likewise */
    ARCHIVE_COUNT,
    ARCHIVE_UNTOLD = ARCHIVE_COUNT, /* INTELLIGENT_TIERING: its tier is told by a HEAD only */
};

/* One object that is archived, or may be. Strings are borrowed. */
struct archived {
    const char *key_folder, *key_name; /* its key in two parts */
    const char *etag;                  /* as listed; "": any */
    const char *version_id;            /* as listed; "": the newest */
    uint64_t size;                     /* stored bytes */
    enum archive archive;
    bool thawing; /* S3 is bringing it back */
};

/* What a listing says; modified_ms as in s3_entry. */
enum archive archive_of_listing(const char *storage_class, uint64_t size, int64_t modified_ms,
                                int64_t now_ms);

/* Sets archive and thawing to what the HEAD says. A copy that expires before until_ms is none. */
void archive_judge(struct archived *object, const struct s3_get *head, int64_t until_ms);

/* "GLACIER", "DEEP_ARCHIVE", "ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS": as S3 calls them. */
const char *archive_name(enum archive archive);
/* Expedited retrievals do not exist there. */
bool archive_is_deep(enum archive archive);

/* "expedited", "standard", "bulk". */
const char *archive_tier_name(enum thaw_tier tier);
/* "3-5 hours": how long S3 usually takes. Not for a deep one by THAW_EXPEDITED. */
const char *archive_usual_time(bool deep, enum thaw_tier tier);

/* The RestoreRequest, for POST ?restore. */
enum { ARCHIVE_REQUEST_SIZE = 256 };
const char *archive_request(enum archive archive, unsigned days, enum thaw_tier tier,
                            char text[ARCHIVE_REQUEST_SIZE]);

#endif
