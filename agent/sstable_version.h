/*
 * sstable_version: which Cassandra reads which SSTable. A backup may hold tables in several
 * formats; one that the version at hand cannot read stops its start, or is passed over. Pure but
 * for the check of a plan; any thread.
 *
 * A version reads every minor of the majors that it knows ("minor versions must be
 * forward-compatible", says BigFormat.java), so the first letter decides upwards; downwards the
 * whole word does. Checked against the constants in the jars of 3.11.19, 4.0.19, 4.1.10 and 5.0.9,
 * and against the sources of Descriptor (2.0, 2.1) and BigFormat (2.2).
 */
#ifndef PENATES_SSTABLE_VERSION_H
#define PENATES_SSTABLE_VERSION_H

#include "agent/base/err.h"
#include "agent/sstable_name.h"

struct plan;

/* What is not given counts as 0: "4" is 4.0. */
struct cassandra_version {
    unsigned major, minor, patch; /* major 0: not told */
};

enum sstable_verdict {
    SSTABLE_READ,
    SSTABLE_READ_IF,      /* oa by 5.0: not in its default storage_compatibility_mode */
    SSTABLE_TOO_NEW,      /* also a UUID in the name, which 4.0 and before cannot parse */
    SSTABLE_TOO_OLD,      /* support for it was dropped */
    SSTABLE_READ_UNKNOWN, /* the version is newer than what is known here */
};

/* "3.11", "5", "4.1.10"; false: anything else, or before 2.0, the first that is known here. */
bool cassandra_version_parse(const char *text, struct cassandra_version *ret);

/* `version` must be told. */
enum sstable_verdict sstable_version_judge(const struct sstable_name *name,
                                           struct cassandra_version version);

/*
 * Judges every SSTable of a plan, index and system tables included. ERR_REFUSED names the first
 * that cannot be read, its format, and what reads it. Otherwise conditions, and a version that is
 * not known here, become warnings of the plan. Does nothing when no version is told.
 */
int sstable_version_check(struct plan *plan, struct cassandra_version version,
                          struct err *e) MUST_CHECK;

#endif
