/*
 * history: what a restore may do with a directory, by the two stamps of a node.
 *
 *     DIR/.penates/restored     on the data volume: this restore is finished here
 *     HISTORY/history           on the root volume (--history): one was finished on this machine
 *
 * An instance store is blank again after a stop; to fill it again would put a node with the data of
 * the backup's day among nodes that have gone on since. The stamp on the root volume tells. Which
 * restore a stamp is of goes by the restore's identity, never by the instance: a volume outlives
 * its instance.
 */
#ifndef PENATES_HISTORY_H
#define PENATES_HISTORY_H

#include "agent/base/err.h"

struct target;

enum stamp_found { STAMP_NONE, STAMP_SAME, STAMP_OTHER }; /* SAME: of this very restore */

/* What a directory without a stamp holds. OURS: a journal of this restore, which did not end. */
enum data_found { DATA_EMPTY, DATA_OURS, DATA_FOREIGN };

enum history_verdict {
    DO_RESTORE,
    DO_RESUME,
    DO_NOTHING,     /* it is finished */
    REFUSE_FOREIGN, /* files that are not of this restore are never touched */
    REFUSE_LOST,    /* the volume that was restored is gone: the node has to be replaced */
    REFUSE_OTHER,   /* the volume of another node, or of another restore */
};

/* The one decision. Pure; `data` has no say when there is a data stamp. */
enum history_verdict history_decide(enum stamp_found data_stamp, enum stamp_found root_stamp,
                                    enum data_found data);

/* What HISTORY has; NONE without --history. ERR_CREATE: it is no directory that we may write to;
 * better now than after hours. */
int history_look(const struct target *target, enum stamp_found *ret, struct err *e) MUST_CHECK;

/* How REFUSE_LOST reads. Returns -1, ERR_REFUSED. */
int history_refuse_lost(const struct target *target, struct err *e);

#endif
