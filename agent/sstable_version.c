#include "agent/sstable_version.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/plan_work.h"

/* Each row holds from its version to the next row's. */
static const struct reader {
    unsigned major, minor;
    const char *first; /* the oldest format of the kind "big", or of before there were kinds */
    char last;         /* the newest major of it */
    char bti_last;     /* of the kind "bti", whose oldest is da; 0: does not know it */
    bool uuids;        /* reads names with a UUID in the generation's place */
} READERS[] = {
    {2, 0, "ic", 'j', 0, false},  {2, 1, "ja", 'k', 0, false}, {2, 2, "ja", 'l', 0, false},
    {3, 0, "jb", 'm', 0, false},  {4, 0, "ma", 'n', 0, false}, {4, 1, "ma", 'n', 0, true},
    {5, 0, "ma", 'o', 'd', true},
};

enum { READERS_COUNT = ARRAY_SIZE(READERS), WRITER_SIZE = 40, RANGE_SIZE = 32 };

/* Who writes a major; of the comments beside the constants in Cassandra's source. */
static const struct {
    char letter;
    const char *writer;
} WRITERS[] = {
    {'h', "Cassandra 1.0 and 1.1"}, {'i', "Cassandra 1.2"}, {'j', "Cassandra 2.0"},
    {'k', "Cassandra 2.1"},         {'l', "Cassandra 2.2"}, {'m', "Cassandra 3.x"},
    {'n', "Cassandra 4.x"},         {'o', "Cassandra 5.0"},
};

static bool is_bti(const struct sstable_name *name)
{
    static const char END[] = "-bti";
    const size_t size = sizeof(END) - 1;
    return name->prefix.size > size &&
           memcmp(name->prefix.data + name->prefix.size - size, END, size) == 0;
}

static const char *writer_of(const struct sstable_name *name)
{
    ASSERT(name->version.size > 0);
    if (is_bti(name)) {
        return name->version.data[0] == 'd' ? "Cassandra 5.0" : "a Cassandra after 5.0";
    }
    for (size_t i = 0; i < ARRAY_SIZE(WRITERS); i++) {
        if ((char)name->version.data[0] == WRITERS[i].letter) {
            return WRITERS[i].writer;
        }
    }
    return name->version.data[0] < 'h' ? "a Cassandra before 1.0" : "a Cassandra after 5.0";
}

static const struct reader *reader_of(struct cassandra_version version)
{
    const struct reader *found = NULL;
    for (size_t i = 0; i < READERS_COUNT; i++) {
        const struct reader *row = &READERS[i];
        if (row->major < version.major ||
            (row->major == version.major && row->minor <= version.minor)) {
            found = row;
        }
    }
    ASSERT(found != NULL); /* cassandra_version_parse() refuses what is before the first */
    return found;
}

static bool is_known(struct cassandra_version version)
{
    const struct reader *last = &READERS[READERS_COUNT - 1];
    return version.major < last->major ||
           (version.major == last->major && version.minor <= last->minor);
}

/* Words of letters as Java compares them: a shorter one that starts alike comes first. */
static bool is_older(struct slice version, const char *than)
{
    const size_t size = strlen(than), shorter = version.size < size ? version.size : size;
    const int order = memcmp(version.data, than, shorter);
    return order < 0 || (order == 0 && version.size < size);
}

static enum sstable_verdict judge_row(const struct sstable_name *name, const struct reader *row)
{
    const char major = (char)name->version.data[0];
    const bool bti = is_bti(name);
    if (is_older(name->version, bti ? "da" : row->first)) {
        return SSTABLE_TOO_OLD;
    }
    if (major > (bti ? row->bti_last : row->last) || (!name->numbered && !row->uuids)) {
        return SSTABLE_TOO_NEW;
    }
    /* With storage_compatibility_mode: CASSANDRA_4, its default, 5.0 takes itself for one that
     * knows "nb" at most (BigFormat.BigVersion of 5.0.9); "da" it reads in any mode. */
    return !bti && row->major == 5 && major == 'o' ? SSTABLE_READ_IF : SSTABLE_READ;
}

enum sstable_verdict sstable_version_judge(const struct sstable_name *name,
                                           struct cassandra_version version)
{
    ASSERT(version.major > 0 && name->version.size > 0);
    const enum sstable_verdict verdict = judge_row(name, reader_of(version));
    /* What was dropped does not come back; nothing else is known of the future. */
    return is_known(version) || verdict == SSTABLE_TOO_OLD ? verdict : SSTABLE_READ_UNKNOWN;
}

bool cassandra_version_parse(const char *text, struct cassandra_version *ret)
{
    unsigned parts[3] = {0};
    size_t at = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
        const size_t size = strcspn(text + at, ".");
        uint64_t number;
        if (size > 4 || !parse_u64(text + at, size, &number)) {
            return false;
        }
        parts[i] = (unsigned)number;
        at += size;
        if (text[at] == '\0') {
            break;
        }
        at++;
    }
    if (text[at] != '\0' || (at > 0 && text[at - 1] == '.') || parts[0] < READERS[0].major) {
        return false;
    }
    *ret = (struct cassandra_version){.major = parts[0], .minor = parts[1], .patch = parts[2]};
    return true;
}

/* The versions that read it: "4.1 to 5.0", "5.0"; false: none that is known here. */
static bool readers_of(const struct sstable_name *name, char ret[RANGE_SIZE])
{
    const struct reader *first = NULL, *last = NULL;
    for (size_t i = 0; i < READERS_COUNT; i++) {
        const enum sstable_verdict verdict = judge_row(name, &READERS[i]);
        if (verdict == SSTABLE_READ || verdict == SSTABLE_READ_IF) {
            first = first == NULL ? &READERS[i] : first;
            last = &READERS[i];
        }
    }
    if (first == NULL) {
        return false;
    }
    const unsigned last_minor = last->major == 3 ? 11 : last->minor;
    if (first == last && last->major != 3) {
        (void)snprintf(ret, RANGE_SIZE, "%u.%u", first->major, first->minor);
    } else {
        (void)snprintf(ret, RANGE_SIZE, "%u.%u to %u.%u", first->major, first->minor, last->major,
                       last_minor); /* small numbers: it fits */
    }
    return true;
}

static int refuse(const struct plan_file *file, const struct sstable_name *name,
                  enum sstable_verdict verdict, struct cassandra_version version, struct err *e)
{
    char range[RANGE_SIZE];
    const bool uuid = !name->numbered && verdict == SSTABLE_TOO_NEW;
    (void)err_set(
        e, ERR_REFUSED, "'%s/%s': Cassandra %u.%u cannot read it: format '%.*s'%s%s, of %s%s",
        file->target_folder, file->target_name, version.major, version.minor,
        (int)name->version.size, (const char *)name->version.data, is_bti(name) ? " (BTI)" : "",
        uuid ? " under a UUID" : "", writer_of(name), uuid ? ", 4.1 or later" : "");
    if (!readers_of(name, range)) {
        return err_hint(e, "restore with the version that wrote it, or --exclude the table");
    }
    return verdict == SSTABLE_TOO_OLD
               ? err_hint(e,
                          "restore onto Cassandra %s, upgrade from there by nodetool "
                          "upgradesstables, or --exclude the table",
                          range)
               : err_hint(e, "restore onto Cassandra %s, or take a point before the upgrade",
                          range);
}

static void warn(struct plan *plan, struct cassandra_version version, uint64_t conditional,
                 uint64_t unknown)
{
    char subject[WRITER_SIZE];
    (void)snprintf(subject, sizeof(subject), "Cassandra %u.%u", version.major, version.minor);
    if (conditional > 0) {
        plan_notes_warn(plan, subject, 0, 0,
                        "reads %" PRIu64 " SSTables of format 'oa' only when cassandra.yaml says "
                        "storage_compatibility_mode: UPGRADING or NONE",
                        conditional);
    }
    if (unknown > 0) {
        plan_notes_warn(plan, subject, 0, 0,
                        "newer than what is known here: nobody has checked whether it reads these "
                        "%" PRIu64 " SSTables",
                        unknown);
    }
}

int sstable_version_check(struct plan *plan, struct cassandra_version version, struct err *e)
{
    uint64_t conditional = 0, unknown = 0;
    for (uint32_t i = 0; version.major > 0 && i < plan->sstable_count; i++) {
        const struct plan_sstable *sstable = &plan->sstables[i];
        const uint32_t index = sstable->data == PLAN_NONE ? sstable->first : sstable->data;
        const struct plan_file *file = &plan->files[index];
        struct sstable_name name;
        const struct slice text = slice_of(file->target_name, strlen(file->target_name));
        if (!sstable_name_parse(text, &name)) {
            continue; /* a component whose name says nothing: the plan has grouped it by others */
        }
        const enum sstable_verdict verdict = sstable_version_judge(&name, version);
        switch (verdict) {
        case SSTABLE_READ:
            break;
        case SSTABLE_READ_IF:
            conditional++;
            break;
        case SSTABLE_READ_UNKNOWN:
            unknown++;
            break;
        case SSTABLE_TOO_NEW:
        case SSTABLE_TOO_OLD:
            return refuse(file, &name, verdict, version, e);
        }
    }
    warn(plan, version, conditional, unknown);
    return 0;
}
