#include "agent/archive.h"

#include <string.h>

/* Smaller objects stay in the frequent access tier; the others get to an archive tier when nobody
 * has read them for 90 days at the least (S3 User Guide, "How S3 Intelligent-Tiering works"). */
enum { TIERING_SIZE_MIN = 128 * 1024 };
#define TIERING_AGE_MIN_MS (INT64_C(90) * 24 * 60 * 60 * 1000)

enum archive archive_of_listing(const char *storage_class, uint64_t size, int64_t modified_ms,
                                int64_t now_ms)
{
    if (strcmp(storage_class, "GLACIER") == 0) {
        return ARCHIVE_GLACIER;
    }
    if (strcmp(storage_class, "DEEP_ARCHIVE") == 0) {
        return ARCHIVE_DEEP_ARCHIVE;
    }
    /* An unreadable time (-1) is old enough. */
    const bool may_be = strcmp(storage_class, "INTELLIGENT_TIERING") == 0 &&
                        size >= TIERING_SIZE_MIN && now_ms - modified_ms >= TIERING_AGE_MIN_MS;
    return may_be ? ARCHIVE_UNTOLD : ARCHIVE_NONE;
}

static bool has_tiers(enum archive archive)
{
    return archive == ARCHIVE_ACCESS || archive == ARCHIVE_DEEP_ACCESS || archive == ARCHIVE_UNTOLD;
}

/* An object of INTELLIGENT_TIERING comes back for good, and then has no such tier any more. */
static enum archive archive_of_tier(enum s3_archive_tier tier)
{
    static const enum archive ARCHIVES[] = {[S3_TIER_NONE] = ARCHIVE_NONE,
                                            [S3_TIER_ARCHIVE_ACCESS] = ARCHIVE_ACCESS,
                                            [S3_TIER_DEEP_ARCHIVE_ACCESS] = ARCHIVE_DEEP_ACCESS};
    ASSERT((unsigned)tier < ARRAY_SIZE(ARCHIVES));
    return ARCHIVES[tier];
}

void archive_judge(struct archived *object, const struct s3_get *head, int64_t until_ms)
{
    ASSERT(head->head && object->archive != ARCHIVE_NONE);
    const bool lasts = head->copy_until_ms < 0 || head->copy_until_ms >= until_ms;
    if (has_tiers(object->archive)) {
        object->archive = archive_of_tier(head->archive_tier);
    }
    if (head->copy == S3_COPY_THERE && lasts) {
        object->archive = ARCHIVE_NONE;
    }
    object->thawing = object->archive != ARCHIVE_NONE && head->copy == S3_COPY_ONGOING;
}

const char *archive_name(enum archive archive)
{
    static const char *const NAMES[] = {[ARCHIVE_GLACIER] = "GLACIER",
                                        [ARCHIVE_DEEP_ARCHIVE] = "DEEP_ARCHIVE",
                                        [ARCHIVE_ACCESS] = "ARCHIVE_ACCESS",
                                        [ARCHIVE_DEEP_ACCESS] = "DEEP_ARCHIVE_ACCESS"};
    ASSERT(archive != ARCHIVE_NONE && (unsigned)archive < ARRAY_SIZE(NAMES));
    return NAMES[archive];
}

bool archive_is_deep(enum archive archive)
{
    return archive == ARCHIVE_DEEP_ARCHIVE || archive == ARCHIVE_DEEP_ACCESS;
}

const char *archive_tier_name(enum thaw_tier tier)
{
    static const char *const NAMES[] = {
        [THAW_EXPEDITED] = "expedited", [THAW_STANDARD] = "standard", [THAW_BULK] = "bulk"};
    ASSERT((unsigned)tier < ARRAY_SIZE(NAMES));
    return NAMES[tier];
}

/* API Reference, RestoreObject. */
const char *archive_usual_time(bool deep, enum thaw_tier tier)
{
    static const char *const TIMES[][2] = {[THAW_EXPEDITED] = {"1-5 minutes", NULL},
                                           [THAW_STANDARD] = {"3-5 hours", "12 hours"},
                                           [THAW_BULK] = {"5-12 hours", "48 hours"}};
    ASSERT((unsigned)tier < ARRAY_SIZE(TIMES) && TIMES[tier][deep] != NULL);
    return TIMES[tier][deep];
}

const char *archive_request(enum archive archive, unsigned days, enum thaw_tier tier,
                            char text[ARCHIVE_REQUEST_SIZE])
{
    static const char *const TIERS[] = {
        [THAW_EXPEDITED] = "Expedited", [THAW_STANDARD] = "Standard", [THAW_BULK] = "Bulk"};
    ASSERT(archive != ARCHIVE_NONE && days > 0 && (unsigned)tier < ARRAY_SIZE(TIERS));
    char lifetime[32] = "";
    /* What comes back for good has no days: S3 refuses them there (API Reference,
     * S3InitiateRestoreObjectOperation). */
    if (!has_tiers(archive)) {
        (void)snprintf(lifetime, sizeof(lifetime), "<Days>%u</Days>", days); /* 10 digits fit */
    }
    const int size = snprintf(text, ARCHIVE_REQUEST_SIZE,
                              "<RestoreRequest xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                              "%s<GlacierJobParameters><Tier>%s</Tier></GlacierJobParameters>"
                              "</RestoreRequest>",
                              lifetime, TIERS[tier]);
    ASSERT(size > 0 && size < ARCHIVE_REQUEST_SIZE);
    return text;
}
