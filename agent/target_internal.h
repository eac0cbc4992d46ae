/*
 * target_internal: what the files of the target share: target.c (open, begin, finish), preflight.c
 * (check), placement.c, replace.c, adding.c, adding_move.c, earlier.c, stamp.c, target_status.c,
 * file_sink.c and commit.c. Nobody else includes this.
 */
#ifndef PENATES_TARGET_INTERNAL_H
#define PENATES_TARGET_INTERNAL_H

#include "agent/journal.h"
#include "agent/safe_path.h"
#include "agent/target.h"
#include "agent/target_dir.h"

enum {
    TARGET_FORMAT = 1,               /* of journal and stamp */
    TARGET_IDENTITY_MAX = 16 * 1024, /* bytes; see JOURNAL_LINE_MAX */
    TARGET_TOKENS_MAX = 64 * 1024,   /* nodes in one journal; clusters have hundreds */
    TARGET_STAMP_MAX = 4 * 1024 * 1024,
    TARGET_PATH_MAX = 4096 + 256, /* a plan's path, below .penates/stage/ or not */
};

#define TARGET_STAGE TARGET_HOME "/stage"
#define TARGET_REPLACED TARGET_HOME "/replaced"

/* Where a file stands. */
enum file_state {
    FILE_TO_COME,  /* nothing is at its place */
    FILE_LEFTOVER, /* something of ours is, but not this very file: it will be renamed over */
    FILE_DONE,     /* in place (or staged) and journaled */
};

/* One a plan file: 16 bytes, there may be 250,000. */
struct target_file {
    uint64_t plain_size; /* when done */
    uint16_t checks;     /* when done: enum check bits */
    uint8_t dir;         /* index of the directory that it goes to */
    uint8_t state;       /* enum file_state */
};

/* One a plan table. */
struct target_table {
    bool cleared; /* --replace has moved away what its folder held: what is there now is ours */
    uint64_t replaced_files, replaced_bytes; /* what --replace takes, or took, out of the way */

    /* of one that is added */
    char *folder;        /* the directory that it is added to, below --into; NULL: not looked up */
    bool sealed;         /* the journal holds its folder and the numbers of its SSTables */
    bool added;          /* the journal says that what it has of the table was brought in */
    bool indexed;        /* the folder has secondary indexes */
    bool unfinished;     /* the folder has logs of a flush or a compaction that did not end */
    uint32_t renumbered; /* SSTables that get another number */
};

/* One a plan SSTable, of use for those of added tables. */
struct target_sstable {
    uint32_t number; /* its new one; 0: it keeps its own */
    bool placed;     /* an earlier run has brought it in whole: from then on it is Cassandra's */
};

struct target {
    /* set by target_open */
    const struct config *config;
    char *identity;
    struct target_dir dirs[CONFIG_TARGETS_MAX];
    unsigned dir_count;
    enum target_state state;
    struct token_pin *pins; /* of the journal */
    struct arena *strings;  /* of the pins */
    size_t pin_count;
    uint64_t journal_size; /* up to where the journal counts */
    int64_t started_ms;    /* of the first run, as journaled; 0: new */
    bool running;          /* Cassandra is at work on a directory: for a run that only adds; looked
                              at again by target_put_in_place */
    struct err running_err;
    char *earlier_stamp; /* of a finished restore of another selection; NULL: none */
    struct err earlier_err;
    /* "earlier/TIME": this restore is finished, and others came after it. NULL: none did. */
    char *kept_in;

    /* set by target_check; the commit thread alone then turns files to FILE_DONE */
    struct target_file *files;
    uint32_t file_count;
    struct target_table *tables;
    uint32_t table_count;
    struct target_sstable *sstables;
    bool only_adds;                  /* every table is added to one of the target */
    uint64_t room_needed, room_free; /* bytes, over all file systems */

    /* set by target_begin; then the commit thread's, and after it target_finish's */
    struct journal *journal;

    bool in_place; /* set by target_put_in_place */
};

/* The name below .penates/ of what is remembered of this restore. Freed by the caller. */
char *target_own(const struct target *target, const char *name);

/* ERR_CREATE (no space, no right) or ERR_DISK by errno, worded as err_set_sys. Returns -1. */
int target_disk_err(struct err *e, int sys, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Owner and mode of the config for a file just created; -1 and errno. */
int target_dress_file(int fd, const struct config *config);

/* True when the file waits in .penates/stage/ for the end. */
static inline bool target_is_staged(const struct plan *plan, uint32_t file)
{
    return plan_is_staged(&plan->tables[plan->files[file].table]);
}

/* True when tables may be added to those of the target. */
static inline bool target_may_add(const struct config *config)
{
    return config->layout == LAYOUT_DATA && config->map.count > 0;
}

/* True when only the plan can tell which of the files that are there are in the way. */
static inline bool target_may_stage(const struct config *config)
{
    return config->replace.count > 0 || target_may_add(config);
}

/* Looks whether Cassandra is at work on a directory. ERR_REFUSED when it is and may not be. */
int target_check_running(struct target *target, bool allowed, struct err *e) MUST_CHECK;

/* Undoes target_check. */
void target_forget_plan(struct target *target);

/* The folder that a verified file is put into, below its --into directory. */
void target_commit_folder(const struct plan *plan, uint32_t file, struct buf *out);

/* preflight.c: ERR_REFUSED names the first file in the directory, if it has any. */
int preflight_empty(const struct target_dir *dir, struct err *e) MUST_CHECK;

/* preflight.c: ERR_REFUSED when a symlink, or what is no directory, is on the way to a folder; fine
 * when it is missing. */
int preflight_reach(const struct target_dir *dir, const char *folder, struct err *e) MUST_CHECK;

/* placement.c: sets `dir` of the files to come and checks the room for them. */
int placement_choose(struct target *target, const struct plan *plan, struct err *e) MUST_CHECK;

/* replace.c: swaps the staged tables in; goes on where an earlier run stopped. */
int replace_swap(struct target *target, const struct plan *plan, struct err *e) MUST_CHECK;

/* replace.c: counts what is, or was, in a table's folder into target->tables[table]. */
int replace_survey(struct target *target, const struct plan *plan, uint32_t table,
                   struct err *e) MUST_CHECK;

/* replace.c: true for a snapshots/ or backups/ right below the table's folder: Cassandra does not
 * read them as its table, so they are in nobody's way and stay. */
bool replace_keeps(const char *table_folder, const struct safe_entry *entry);

/* adding.c: the directory of each added table that the journal does not name. ERR_REFUSED: none, or
 * several. */
int adding_resolve(struct target *target, const struct plan *plan, struct err *e) MUST_CHECK;
/* Which SSTables would get which numbers now. ERR_REFUSED: one is there already. */
int adding_preview(struct target *target, const struct plan *plan, struct err *e) MUST_CHECK;
/* Chooses the numbers, and journals them. Of a move that was cut short, only what it brought in
 * whole keeps its numbers: Cassandra may have been at work since. */
int adding_settle(struct target *target, const struct plan *plan, struct err *e) MUST_CHECK;
/* adding_move.c: notes which SSTables an earlier run has placed, and takes back its half ones. */
int adding_withdraw(const struct target *target, const struct plan *plan, uint32_t table,
                    struct err *e) MUST_CHECK;
/* adding_move.c: moves the staged files in, and journals that. */
int adding_move(struct target *target, const struct plan *plan, struct err *e) MUST_CHECK;
/* The files of a table, which are side by side: [*ret_first .. *ret_end). */
void adding_files(const struct plan *plan, uint32_t table, uint32_t *ret_first, uint32_t *ret_end);
/* Where a table of the plan really is, or will be. */
const char *adding_folder(const struct target *target, const struct plan *plan, uint32_t table);
/* True for a file of an SSTable that an earlier run has brought in. */
bool adding_is_placed(const struct target *target, const struct plan *plan, uint32_t file);
/* True when that is all of a table, and journaled. */
bool adding_is_done(const struct target *target, const struct plan *plan, uint32_t table);
/* The name of a file in its final place. */
enum { ADDING_NAME_SIZE = 1024 + 16 }; /* a key with a new number */
void adding_name(const struct target *target, const struct plan *plan, uint32_t file,
                 char ret[ADDING_NAME_SIZE]);

/* earlier.c: "earlier/TIME" where a stamp of this identity lies in there, else NULL; freed by the
 * caller. */
int earlier_find(const struct target *target, char **ret_folder, struct err *e) MUST_CHECK;
/* earlier.c: ERR_REFUSED when there is one. */
int earlier_check(const struct target *target, struct err *e) MUST_CHECK;
/* earlier.c: moves what tells of a finished restore to .penates/earlier/TIME/. */
int earlier_put_away(struct target *target, struct err *e) MUST_CHECK;

/* stamp.c: 1: the stamp of this identity is there, 0: none; ERR_REFUSED: another's, whose text is
 * in *ret_other then (freed by the caller; NULL otherwise). */
int stamp_look(const struct target *target, char **ret_other, struct err *e) MUST_CHECK;
/* True for the text of a stamp of this identity. */
bool stamp_is_of(const struct target *target, const char *stamp);
int stamp_write(const struct target *target, const struct plan *plan, struct err *e) MUST_CHECK;
/* The stamp of the root volume: the same identity, when, and where. Freed by the caller. */
char *stamp_of_history(const struct target *target);

/* file_sink.c: for commit.c. */
struct file_sink {
    struct target *target;
    int fd;
    uint32_t file;
    const char *target_folder, *target_name; /* the plan's: for messages */
};
enum { FILE_SINK_NAME_SIZE = 24 };
/* The name below .penates/tmp/: never ends in ".db" (cassandra spec, section 2). */
void file_sink_name(const struct file_sink *sink, char name[FILE_SINK_NAME_SIZE]);
/* Frees without removing: the file has its final name. */
void file_sink_free(struct file_sink *sink);

#endif
