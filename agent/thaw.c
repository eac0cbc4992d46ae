#include "agent/thaw.h"

#include <inttypes.h>

#include "agent/ask.h"
#include "agent/base/clock.h"
#include "agent/base/interrupt.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"

enum {
    COPY_LEFT_MIN_MS = 2 * 60 * 60 * 1000, /* a copy that expires sooner may be gone before its turn
                                            */
    PAUSE_MIN_MS = 1000,
    PAUSE_MAX_MS = 5 * 60 * 1000,
    /* So the end is noticed late by a sixteenth of the wait at most, and a wait of 12 hours takes
       some 230 looks. */
    PAUSE_SHARE = 16,
    WINDOW = 64, /* objects asked about at one look, unless most of them are back */
    LINE_EVERY_MS = 10 * 1000,
    STATUS_EVERY_MS = 1000,
};

/* The slowest way there is usually takes 48 hours (bulk, of DEEP_ARCHIVE). */
#define WAIT_MAX_MS (UINT64_C(72) * 60 * 60 * 1000)

struct thaw {
    /* set once */
    const struct config *config;
    struct source *source;
    struct archived *objects;
    size_t count;
    uint64_t bytes; /* of all */
    uint64_t start_ms;
    bool terminal;
    char requests[ARCHIVE_COUNT][ARCHIVE_REQUEST_SIZE];

    size_t left;         /* objects[0 .. left) are not back yet */
    size_t cursor;       /* among those: whose turn it is */
    uint64_t bytes_back; /* of the others */
    uint64_t line_ms;    /* when the last line was written */
};

static void put_key(const struct archived *object, struct buf *key)
{
    /* A key that a listing brought fits; ask_all asserts it. */
    (void)(buf_append_str(key, object->key_folder) && buf_append_str(key, object->key_name));
}

/* What is there */

struct looking {
    struct archived *objects;
    int64_t until_ms;
};

static bool fill_head(void *ctx, size_t index, struct buf *key, struct s3_get *get)
{
    const struct looking *looking = (const struct looking *)ctx;
    const struct archived *object = &looking->objects[index];
    put_key(object, key);
    get->head = true;
    get->etag = object->etag;
    get->version_id = object->version_id;
    return object->archive != ARCHIVE_NONE;
}

static void take_head(void *ctx, size_t index, const struct s3_get *get)
{
    const struct looking *looking = (const struct looking *)ctx;
    archive_judge(&looking->objects[index], get, looking->until_ms);
}

/* until_ms as in archive_judge. */
static int look(const struct config *config, struct source *source, struct archived *objects,
                size_t count, int64_t until_ms, struct err *e)
{
    struct looking looking = {.objects = objects, .until_ms = until_ms};
    const struct ask ask = {.source = source,
                            .connections = config->connections,
                            .count = count,
                            .fill = fill_head,
                            .take = take_head,
                            .ctx = &looking};
    return ask_all(&ask, e);
}

int thaw_look(const struct config *config, struct source *source, struct archived *objects,
              size_t count, struct err *e)
{
    return look(config, source, objects, count, clock_wall_ms() + COPY_LEFT_MIN_MS, e);
}

/* The refusal */

struct sums {
    size_t objects[ARCHIVE_COUNT]; /* ARCHIVE_NONE: of all archived ones */
    uint64_t bytes;
    size_t thawing;
    const struct archived *first;
    bool deep;
};

static struct sums sum_up(const struct archived *objects, size_t count)
{
    struct sums sums = {.first = NULL};
    for (size_t i = 0; i < count; i++) {
        const struct archived *object = &objects[i];
        if (object->archive == ARCHIVE_NONE) {
            continue;
        }
        ASSERT(object->archive < ARCHIVE_COUNT);
        sums.first = sums.first == NULL ? object : sums.first;
        sums.objects[ARCHIVE_NONE]++;
        sums.objects[object->archive]++;
        sums.bytes += object->size;
        sums.thawing += object->thawing;
        sums.deep = sums.deep || archive_is_deep(object->archive);
    }
    return sums;
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static int hint_times(bool deep, struct err *e)
{
    const char *const standard = archive_usual_time(deep, THAW_STANDARD);
    const char *const bulk = archive_usual_time(deep, THAW_BULK);
    if (deep) {
        return err_hint(e,
                        "let S3 bring them back with --thaw DAYS: usually %s, and %s with "
                        "--thaw-tier bulk",
                        standard, bulk);
    }
    return err_hint(e,
                    "let S3 bring them back with --thaw DAYS: usually %s, %s with --thaw-tier "
                    "expedited, and %s with bulk",
                    standard, archive_usual_time(deep, THAW_EXPEDITED), bulk);
}

int thaw_refuse(const struct archived *objects, size_t count, struct err *e)
{
    const struct sums sums = sum_up(objects, count);
    if (sums.first == NULL) {
        return 0;
    }
    autobuf struct buf classes = BUF_INIT(256); /* four names and numbers fit */
    for (unsigned i = ARCHIVE_NONE + 1; i < ARCHIVE_COUNT; i++) {
        if (sums.objects[i] > 0) {
            (void)buf_appendf(&classes, "%s%zu %s", classes.size == 0 ? "" : ", ", sums.objects[i],
                              archive_name((enum archive)i));
        }
    }
    const size_t all = sums.objects[ARCHIVE_NONE];
    char bytes[BYTES_TEXT_SIZE];
    autofree char *coming =
        sums.thawing == 0 ? xstrdup("") : xasprintf(", %zu on the way back", sums.thawing);
    (void)err_set(e, ERR_REFUSED, "%zu object%s of %s %s archived (%s%s), the first is '%s%s'", all,
                  plural(all), format_bytes(sums.bytes, bytes), all == 1 ? "is" : "are",
                  buf_str(&classes), coming, sums.first->key_folder, sums.first->key_name);
    return hint_times(sums.deep, e);
}

/* The asking */

static bool fill_restore(void *ctx, size_t index, struct buf *key, struct s3_get *get)
{
    const struct thaw *thaw = (const struct thaw *)ctx;
    const struct archived *object = &thaw->objects[index];
    ASSERT(object->archive != ARCHIVE_NONE && object->archive < ARCHIVE_COUNT);
    put_key(object, key);
    get->restore = thaw->requests[object->archive];
    get->version_id = object->version_id;
    return !object->thawing;
}

static void take_restore(void *ctx, size_t index, const struct s3_get *get)
{
    (void)get; /* it is under way, whoever asked for it */
    const struct thaw *thaw = (const struct thaw *)ctx;
    thaw->objects[index].thawing = true;
}

static int ask_for(struct thaw *thaw, struct err *e)
{
    const struct ask ask = {.source = thaw->source,
                            .connections = thaw->config->connections,
                            .count = thaw->left,
                            .fill = fill_restore,
                            .take = take_restore,
                            .ctx = thaw};
    if (ask_all(&ask, e) == 0) {
        return 0;
    }
    /* A look at the same objects was allowed before. */
    return e->kind != ERR_AUTH || e->http != 403
               ? -1
               : err_hint(e, "allow s3:RestoreObject ('penates policy --thaw DAYS' prints how)");
}

/* The wait */

uint64_t thaw_pause_ms(uint64_t waited_ms)
{
    const uint64_t pause_ms = waited_ms / PAUSE_SHARE;
    return pause_ms < PAUSE_MIN_MS   ? PAUSE_MIN_MS
           : pause_ms > PAUSE_MAX_MS ? PAUSE_MAX_MS
                                     : pause_ms;
}

const char *thaw_format_span(uint64_t ms, char text[THAW_SPAN_SIZE])
{
    const uint64_t minutes = ms / 60000;
    if (minutes >= 60) {
        (void)snprintf(text, THAW_SPAN_SIZE, "%" PRIu64 " h %" PRIu64 " min", minutes / 60,
                       minutes % 60); /* 20 digits fit, here and below */
    } else if (minutes > 0) {
        (void)snprintf(text, THAW_SPAN_SIZE, "%" PRIu64 " min", minutes);
    } else {
        (void)snprintf(text, THAW_SPAN_SIZE, "%" PRIu64 " s", ms / 1000);
    }
    return text;
}

static void show(struct thaw *thaw)
{
    if (thaw->config->progress == PROGRESS_NEVER) {
        return;
    }
    const uint64_t now_ms = clock_mono_ms();
    char back[BYTES_TEXT_SIZE], all[BYTES_TEXT_SIZE], span[THAW_SPAN_SIZE];
    autofree char *line =
        xasprintf("thawing: %zu of %zu objects, %s of %s, asked %s ago", thaw->count - thaw->left,
                  thaw->count, format_bytes(thaw->bytes_back, back), format_bytes(thaw->bytes, all),
                  thaw_format_span(now_ms - thaw->start_ms, span));
    if (thaw->terminal) {
        log_status(line);
    } else if (now_ms - thaw->line_ms >= LINE_EVERY_MS) {
        log_info("%s", line);
        thaw->line_ms = now_ms;
    }
}

/* Of those just looked at, what is back goes behind the others. From the last one on: what comes in
 * its place was not looked at, or has been sorted already. */
static void sort_out(struct thaw *thaw, size_t window)
{
    ASSERT(window <= thaw->left - thaw->cursor);
    const size_t first = thaw->cursor;
    for (size_t i = first + window; i-- > first;) {
        const struct archived object = thaw->objects[i];
        if (object.archive != ARCHIVE_NONE) {
            thaw->cursor++;
            continue;
        }
        thaw->left--;
        thaw->bytes_back += object.size;
        thaw->objects[i] = thaw->objects[thaw->left];
        thaw->objects[thaw->left] = object;
    }
    thaw->cursor = thaw->cursor < thaw->left ? thaw->cursor : 0;
}

/* Looks at the next few, and at more as long as most of them are back: a look costs S3 little,
 * however many objects there are, and none waits longer than the others. */
static int look_on(struct thaw *thaw, struct err *e)
{
    size_t window, back;
    do {
        window = thaw->left - thaw->cursor;
        window = window < WINDOW ? window : WINDOW;
        const size_t before = thaw->left;
        if (look(thaw->config, thaw->source, thaw->objects + thaw->cursor, window, INT64_MIN, e) !=
            0) {
            return -1;
        }
        sort_out(thaw, window);
        back = before - thaw->left;
        show(thaw);
    } while (thaw->left > 0 && back > window / 2);
    return ask_for(thaw, e); /* a retrieval that failed has left no trace: it is asked for anew */
}

/* Cut short as a transfer is: by whoever knows that nothing comes of it any more (ring_lease.h). */
static int pause_for(struct thaw *thaw, uint64_t ms, struct err *e)
{
    const uint64_t until_ms = clock_mono_ms() + ms;
    for (uint64_t now_ms = clock_mono_ms(); now_ms < until_ms; now_ms = clock_mono_ms()) {
        const uint64_t left_ms = until_ms - now_ms;
        if (!interrupt_sleep_ms(left_ms < STATUS_EVERY_MS ? left_ms : STATUS_EVERY_MS)) {
            return err_set(e, ERR_CANCELLED, "interrupted");
        }
        show(thaw);
    }
    return 0;
}

static int wait_for_all(struct thaw *thaw, struct err *e)
{
    while (thaw->left > 0) {
        const uint64_t waited_ms = clock_mono_ms() - thaw->start_ms;
        if (waited_ms >= WAIT_MAX_MS) {
            const struct archived *object = &thaw->objects[0];
            char span[THAW_SPAN_SIZE];
            err_set(e, ERR_RETRY, "%zu of %zu objects are still archived after %s, as '%s%s'",
                    thaw->left, thaw->count, thaw_format_span(waited_ms, span), object->key_folder,
                    object->key_name);
            return err_hint(e, "see with s3api head-object what S3 says of it, then run again");
        }
        if (pause_for(thaw, thaw_pause_ms(waited_ms), e) != 0 || look_on(thaw, e) != 0) {
            return -1;
        }
    }
    return 0;
}

static int check_tier(const struct thaw *thaw, const struct sums *sums, struct err *e)
{
    if (thaw->config->thaw_tier != THAW_EXPEDITED || !sums->deep) {
        return 0;
    }
    err_set(e, ERR_CONFIG, "--thaw-tier expedited: S3 has none for %s",
            sums->objects[ARCHIVE_DEEP_ARCHIVE] > 0 ? "DEEP_ARCHIVE" : "DEEP_ARCHIVE_ACCESS");
    return err_hint(e, "take --thaw-tier standard, usually %s",
                    archive_usual_time(true, THAW_STANDARD));
}

static void announce(const struct thaw *thaw, const struct sums *sums)
{
    const struct config *config = thaw->config;
    char bytes[BYTES_TEXT_SIZE];
    log_info("thawing %zu object%s of %s for %u day%s: S3 usually takes %s (%s)", thaw->count,
             plural(thaw->count), format_bytes(thaw->bytes, bytes), config->thaw_days,
             plural(config->thaw_days), archive_usual_time(sums->deep, config->thaw_tier),
             archive_tier_name(config->thaw_tier));
    if (sums->thawing > 0) {
        log_info("%zu of them %s on the way back already", sums->thawing,
                 sums->thawing == 1 ? "is" : "are");
    }
}

static int thaw_all(struct thaw *thaw, const struct sums *sums, struct err *e)
{
    if (check_tier(thaw, sums, e) != 0) {
        return -1;
    }
    const struct config *config = thaw->config;
    for (unsigned i = ARCHIVE_NONE + 1; i < ARCHIVE_COUNT; i++) {
        (void)archive_request((enum archive)i, config->thaw_days, config->thaw_tier,
                              thaw->requests[i]);
    }
    announce(thaw, sums);
    const int result = ask_for(thaw, e) != 0 ? -1 : wait_for_all(thaw, e);
    if (thaw->terminal) {
        log_status(NULL);
    }
    return result;
}

int thaw_run(const struct config *config, struct source *source, struct archived *objects,
             size_t object_count, struct thaw_count *count, struct err *e)
{
    ASSERT(config->thaw_days > 0);
    struct thaw thaw = {.config = config,
                        .source = source,
                        .objects = objects,
                        .left = object_count,
                        .start_ms = clock_mono_ms(),
                        .terminal = isatty(STDERR_FILENO) == 1};
    sort_out(&thaw, object_count); /* what need not be thawed does not count */
    const struct sums sums = sum_up(objects, thaw.left);
    if (sums.first == NULL) {
        return 0;
    }
    thaw.count = thaw.left;
    thaw.cursor = 0;
    thaw.bytes = sums.bytes;
    thaw.bytes_back = 0;
    thaw.line_ms = thaw.start_ms;
    const int result = thaw_all(&thaw, &sums, e);
    const uint64_t waited_ms = clock_mono_ms() - thaw.start_ms;
    count->objects += thaw.count - thaw.left;
    count->bytes += thaw.bytes_back;
    count->wait_ms += waited_ms;
    if (result == 0) {
        char span[THAW_SPAN_SIZE];
        log_info("thawed %zu object%s in %s", thaw.count, plural(thaw.count),
                 thaw_format_span(waited_ms, span));
    }
    return result;
}

int thaw_or_refuse(const struct config *config, struct source *source, struct archived *objects,
                   size_t object_count, struct thaw_count *count, struct err *e)
{
    return config->thaw_days > 0 ? thaw_run(config, source, objects, object_count, count, e)
                                 : thaw_refuse(objects, object_count, e);
}
