/*
 * target: the directories that the files go to, and what is remembered there.
 *
 *     DIR/.penates/lock       held while a run lasts: a second one is refused
 *     DIR/.penates/journal    what is finished, bound to the plan and to ETags
 *     DIR/.penates/tmp/       files under way; nothing in here counts, a rerun empties it
 *     DIR/.penates/stage/     verified tables that wait for --replace, --as or --table-map
 *     DIR/.penates/replaced/  what --replace took out of the way; never deleted by us
 *     DIR/.penates/report.json, DIR/.penates/restored (the stamp, written last)
 *     DIR/.penates/after      which commands of --after have succeeded since
 *     DIR/.penates/earlier/   a folder for each finished restore of another selection that made
 *                             room, by the time of its end: its journal, report, stamp, after and
 *                             replaced/
 *
 * Of several directories the first holds journal, report and stamp; in the others .penates/first
 * names it. A crash leaves nothing worse than a file in place that the journal does not know; a
 * rerun renames its own over it. Temporary names never end in ".db": Cassandra refuses to start on
 * those (cassandra spec, section 2).
 */
#ifndef PENATES_TARGET_H
#define PENATES_TARGET_H

#include "agent/plan.h"

struct target;

enum target_phase { PHASE_NEW, PHASE_RUNNING, PHASE_INTERRUPTED, PHASE_FAILED, PHASE_DONE };

/* What journal and lock tell of a directory, for `penates status`. Times are in ms since 1970. */
struct target_summary {
    enum target_phase phase;
    uint64_t pid;                                 /* when running; 0: not known */
    uint64_t files, stored_bytes, plain_bytes;    /* of the plan; plain_bytes: at least */
    uint64_t files_done, stored_done, plain_done; /* finished so far, by all runs */
    uint64_t stored_kept;                         /* of stored_done, by runs before the last */
    int64_t started_ms, run_ms, last_ms;          /* first run, last run, last progress or end */
    int64_t until_ms;                             /* the state restored: its latest, 0: not known */
    char error[512];                              /* of the last run when it failed, else "" */
};

enum target_state {
    TARGET_NEW,         /* no run before */
    TARGET_INTERRUPTED, /* a run of the same selection began and did not end */
    TARGET_DONE,        /* the stamp of the same selection is there */
};

/*
 * Looks at the directories, takes the locks that exist (and notes its process id in them), reads
 * the journal. Makes no directory and no file. `identity` binds journal and stamp: source and
 * selection in canonical words, --replace and --layout included, at most 16 KiB. ERR_REFUSED when
 * another identity's is there, when --history tells of a volume that is lost, when another run
 * holds the lock, when foreign files are in the way, or when Cassandra runs on a directory.
 * `config` must outlive the target. One thread.
 */
int target_open(const struct config *config, const char *identity, struct target **ret,
                enum target_state *ret_state, struct err *e) MUST_CHECK;
void target_free(struct target *target); /* NULL is fine; releases the locks */

/* The instant that the interrupted run resolved for a token (NULL: the latest of all tokens), to
 * pin a rerun to; false: none. */
bool target_pinned_until(const struct target *target, const char *token, int64_t *ret_ms);

/* Pins the selection of a rerun to those instants, node by node. The pins stay the target's. */
void target_pin(const struct target *target, struct selection *selection);

/*
 * Preflight against the plan, still writing nothing: room for the bytes to come (less what is
 * finished), right to write, owner, name lengths, foreign files in the way of this plan, symlinks.
 * Distributes SSTables over several directories. ERR_CREATE, ERR_REFUSED; ERR_CONFIG: --replace of
 * a table that is not in the plan.
 */
int target_check(struct target *target, const struct plan *plan, struct err *e) MUST_CHECK;

/* The part of it that needs no plan: right to write, and to set the owner. ERR_CREATE. */
int target_check_rights(const struct target *target, struct err *e) MUST_CHECK;

/* After target_check, also a failed one that got as far: bytes needed for what is to come (files of
 * unknown size count with their stored size) and bytes free, over all file systems. */
void target_room(const struct target *target, uint64_t *ret_needed, uint64_t *ret_free);

/* After target_check: what earlier runs have finished of this plan: the *_done of *ret; the rest of
 * it is left alone. */
void target_finished(const struct target *target, const struct plan *plan,
                     struct target_summary *ret);

/* After target_check: one flag a file, 0 for those that earlier runs have finished; caller frees.
 */
uint8_t *target_unfinished(const struct target *target);

/* After target_check: what --replace takes out of the way of a table, for the report. False:
 * nothing. It ends up in DIR/.penates/replaced/ under the table's target_folder. */
bool target_replaced(const struct target *target, uint32_t table, uint64_t *ret_files,
                     uint64_t *ret_bytes);

/* After target_check: how a table is added to one of the target; false: it is not. After
 * target_put_in_place the numbers are final, before they are what would be chosen now. */
struct target_added {
    const char *folder;  /* the table's directory, below --into */
    uint32_t renumbered; /* SSTables that get another number */
    bool indexed;        /* the directory has secondary indexes */
    bool unfinished;     /* the directory has logs of a flush or a compaction that did not end */
    bool running;        /* Cassandra is at work there */
};
bool target_added(const struct target *target, uint32_t table, struct target_added *ret);

/* Where a file of the plan comes to lie below its --into directory, into `out` (cleared first). */
void target_place(const struct target *target, const struct plan *plan, uint32_t file,
                  struct buf *out);

/* First write: makes .penates/, takes the lock, moves a finished restore of another selection to
 * .penates/earlier/, binds the journal to the plan, empties tmp/. Raises
 * the limit of open files as far as it may. ERR_CREATE, ERR_DISK, ERR_REFUSED. */
int target_begin(struct target *target, const struct plan *plan, struct err *e) MUST_CHECK;

/* Puts staged tables in place: those of --replace, and those that are added, whose numbers are
 * chosen now. All files must be committed. ERR_REFUSED: Cassandra is running, or an SSTable has
 * appeared there. */
int target_put_in_place(struct target *target, const struct plan *plan, struct err *e) MUST_CHECK;

/* After target_put_in_place and all else that a restore has to do: syncs, writes report and stamp.
 */
int target_finish(struct target *target, const struct plan *plan, const char *report_json,
                  struct err *e) MUST_CHECK;

/* Leaves the stamp on the root volume, too, when --history asks for one and it is not there yet.
 * After target_finish(), or of a target that is done: a volume may have come from another machine.
 * ERR_CREATE, ERR_DISK. */
int target_keep_history(const struct target *target, struct err *e) MUST_CHECK;

/* What is remembered of the commands of --after: DIR/.penates/after, "" when there is none. After
 * target_finish(), or of a target that is done. ERR_DISK, ERR_CREATE. */
int target_after_read(const struct target *target, struct buf *out, struct err *e) MUST_CHECK;
int target_after_write(const struct target *target, const char *text, struct err *e) MUST_CHECK;

/* Notes for `status` how a begun run failed; one that cannot be noted is let go. */
void target_record_failure(struct target *target, const char *text);

/* Looks without a lock and writes nothing. ERR_CREATE: no right; ERR_REFUSED: not a journal of this
 * version; ERR_CONFIG: `path` holds the second or later part, the text names the first. */
int target_status(const char *path, struct target_summary *ret, struct err *e) MUST_CHECK;

#endif
