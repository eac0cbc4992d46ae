/*
 * thaw: has S3 bring archived objects back, and waits for it: hours.
 *
 *     thaw_look: HEAD each ─▶ what is archived ─▶ thaw_refuse
 *                                              └▶ thaw_run: POST ?restore each, then HEAD in turn
 *
 * Nothing is kept between runs: S3 itself knows what is on its way back, so a run that was stopped
 * and started again asks for the rest only. Blocks; main thread.
 */
#ifndef PENATES_THAW_H
#define PENATES_THAW_H

#include "agent/archive.h"
#include "agent/source.h"

/* What was brought back, and how long that took; sums over several calls. */
struct thaw_count {
    uint64_t objects, bytes, wait_ms;
};

/* Asks S3 about each object that is not ARCHIVE_NONE, which leaves no ARCHIVE_UNTOLD. A copy that
 * is about to expire is none. Fails as the source does. */
int thaw_look(const struct config *config, struct source *source, struct archived *objects,
              size_t count, struct err *e) MUST_CHECK;

/* ERR_REFUSED when one of them is archived: the text says how many, how much, of which class, the
 * hint how long it would take to thaw them. After thaw_look. */
int thaw_refuse(const struct archived *objects, size_t count, struct err *e) MUST_CHECK;

/*
 * Waits until all of them can be read, for config->thaw_days; changes their order. After thaw_look.
 * Adds to *count. ERR_CONFIG: the tier does not exist for one of them; ERR_AUTH names the action;
 * ERR_RETRY: S3 has not brought all back within three days; ERR_CANCELLED after
 * interrupt_ask(); or as the source does.
 */
int thaw_run(const struct config *config, struct source *source, struct archived *objects,
             size_t object_count, struct thaw_count *count, struct err *e) MUST_CHECK;

/* thaw_run when --thaw is given, else thaw_refuse. */
int thaw_or_refuse(const struct config *config, struct source *source, struct archived *objects,
                   size_t object_count, struct thaw_count *count, struct err *e) MUST_CHECK;

/* How long to leave S3 alone after so much waiting: pure. */
uint64_t thaw_pause_ms(uint64_t waited_ms);

/* "2 h 10 min", "3 min", "12 s". */
enum { THAW_SPAN_SIZE = 48 };
const char *thaw_format_span(uint64_t ms, char text[THAW_SPAN_SIZE]);

#endif
