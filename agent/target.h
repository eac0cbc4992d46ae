/*
 * target: the directories that the files go to, and what is remembered there.
 *
 *     DIR/.penates/lock       held while a run lasts: a second one is refused
 *     DIR/.penates/journal    what is finished, bound to the plan and to ETags
 *     DIR/.penates/tmp/       files under way; nothing in here counts, a rerun empties it
 *     DIR/.penates/stage/     verified tables that wait for --replace
 *     DIR/.penates/replaced/  what --replace took out of the way; never deleted by us
 *     DIR/.penates/report.json, DIR/.penates/restored (the stamp, written last)
 *
 * Of several directories the first holds journal, report and stamp; the others name it. Temporary
 * names never end in ".db": Cassandra refuses to start on those (cassandra spec, section 2).
 */
#ifndef PENATES_TARGET_H
#define PENATES_TARGET_H

#include "agent/plan.h"

struct target;

enum target_state {
    TARGET_NEW,         /* no run before */
    TARGET_INTERRUPTED, /* a run of the same selection began and did not end */
    TARGET_DONE,        /* the stamp of the same selection is there */
};

/*
 * Looks at the directories, takes the locks that exist, reads the journal. Writes nothing: no
 * directory, no file. `identity` (source and selection in canonical words, see restore.c) binds the
 * journal: ERR_REFUSED when another identity's is there, when another run holds the lock, when
 * foreign files are in the way, or when Cassandra runs on a directory.
 */
int target_open(const struct config *config, const char *identity, struct target **ret,
                enum target_state *ret_state, struct err *e) MUST_CHECK;
void target_free(struct target *target); /* NULL is fine; releases the locks */

/* The instant that the interrupted run resolved for a token, to pin a rerun to; false: none. */
bool target_pinned_until(const struct target *target, const char *token, int64_t *ret_ms);

/*
 * Preflight against the plan, still writing nothing: room for the bytes to come (less what is
 * finished), right to write, owner, name lengths, foreign files in the way of this plan, symlinks.
 * Distributes tables over several directories. ERR_CREATE, ERR_REFUSED.
 */
int target_check(struct target *target, const struct plan *plan, struct err *e) MUST_CHECK;

/* First write: makes .penates/, takes the lock, binds the journal to the plan, empties tmp/. */
int target_begin(struct target *target, const struct plan *plan, struct err *e) MUST_CHECK;

/* Puts tables of --replace in place, syncs, writes report and stamp. */
int target_finish(struct target *target, const struct plan *plan, const char *report_json,
                  struct err *e) MUST_CHECK;

#endif
