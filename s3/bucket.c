#include "s3/bucket.h"

#include <string.h>

#include "s3/partition.h"

enum {
    NAME_MIN = 3,
    POINT_NAME_MAX = 50, /* S3 User Guide, "Naming rules for access points" */
    ACCOUNT_SIZE = 12,
};

/* arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE */
enum { PARTITION = 1, SERVICE, REGION, ACCOUNT, RESOURCE, FIELDS };

struct field {
    const char *text;
    size_t size;
};

/* What S3 calls by the same names, but serves in another way. */
static const struct other_kind {
    const char *service; /* in an ARN */
    const char *endings[2];
    const char *what;
    const char *hint;
} OTHER_KINDS[] = {
    {"s3express",
     {"--x-s3", "--xa-s3"},
     "S3 Express One Zone is not supported: it signs with sessions of its own",
     "copy the backup into a general purpose bucket"},
    {"s3-outposts",
     {"--op-s3"},
     "S3 on Outposts is not supported: it is a service of its own",
     "copy the backup into a bucket of a region"},
    {"s3-object-lambda",
     {"--ol-s3"},
     "Object Lambda is not supported: it may change what it hands out",
     "name the bucket itself, or the access point that the Lambda reads from"},
    {"",
     {".mrap"},
     "a multi-region access point is not supported: it needs signatures of another kind (SigV4A)",
     "name one of the buckets behind it"},
};

static bool is(struct field field, const char *word)
{
    return field.size == strlen(word) && memcmp(field.text, word, field.size) == 0;
}

static bool consists_of(struct field field, const char *characters)
{
    return strspn(field.text, characters) >= field.size;
}

static bool ends_in(struct field field, const char *ending)
{
    const size_t size = strlen(ending);
    return field.size > size && memcmp(field.text + field.size - size, ending, size) == 0;
}

static bool is_of_kind(const struct other_kind *kind, struct field service, struct field name)
{
    if (kind->service[0] != '\0' && is(service, kind->service)) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(kind->endings) && kind->endings[i] != NULL; i++) {
        if (ends_in(name, kind->endings[i])) {
            return true;
        }
    }
    return false;
}

static int refuse_other_kinds(const char *text, struct field service, struct field name,
                              struct err *e)
{
    for (size_t i = 0; i < ARRAY_SIZE(OTHER_KINDS); i++) {
        if (is_of_kind(&OTHER_KINDS[i], service, name)) {
            (void)err_set(e, ERR_CONFIG, "bucket '%s': %s", text, OTHER_KINDS[i].what);
            return err_hint(e, "%s", OTHER_KINDS[i].hint);
        }
    }
    return 0;
}

bool bucket_is_arn(const char *text)
{
    return strncmp(text, "arn:", 4) == 0;
}

bool bucket_is_alias(const char *text)
{
    return ends_in((struct field){text, strlen(text)}, "-s3alias");
}

/* The resource is the rest, whatever is in it. False: there are not that many fields. */
static bool split_arn(const char *text, struct field fields[FIELDS])
{
    for (unsigned i = 0; i < RESOURCE; i++) {
        fields[i] = (struct field){text, strcspn(text, ":/")};
        if (text[fields[i].size] != ':') {
            return false;
        }
        text += fields[i].size + 1;
    }
    fields[RESOURCE] = (struct field){text, strlen(text)};
    return true;
}

size_t bucket_span(const char *text)
{
    struct field fields[FIELDS];
    if (!bucket_is_arn(text) || !split_arn(text, fields)) {
        return strcspn(text, "/");
    }
    const char *const resource = fields[RESOURCE].text;
    const size_t type = strcspn(resource, ":/");
    const size_t more = resource[type] == '\0' ? 0 : 1 + strcspn(resource + type + 1, "/");
    return (size_t)(resource - text) + type + more;
}

static int refuse_arn(const char *text, struct err *e)
{
    (void)err_set(e, ERR_CONFIG, "bucket '%s': not the ARN of an access point", text);
    return err_hint(
        e, "write s3://BUCKET/BASE, or s3://arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME/BASE");
}

static bool is_point(const struct field fields[FIELDS], struct field name)
{
    static const char LOWER[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    return is(fields[SERVICE], "s3") && strncmp(fields[RESOURCE].text, "accesspoint", 11) == 0 &&
           fields[RESOURCE].size == 11 + 1 + name.size && fields[REGION].size > 0 &&
           fields[REGION].size < S3_REGION_MAX && consists_of(fields[REGION], LOWER) &&
           fields[ACCOUNT].size == ACCOUNT_SIZE && consists_of(fields[ACCOUNT], "0123456789") &&
           name.size >= NAME_MIN && name.size <= POINT_NAME_MAX && consists_of(name, LOWER) &&
           name.text[0] != '-';
}

static int parse_arn(const char *text, struct bucket *ret, struct err *e)
{
    struct field fields[FIELDS];
    if (!split_arn(text, fields)) {
        return refuse_arn(text, e);
    }
    const char *const resource = fields[RESOURCE].text;
    const size_t type = strcspn(resource, ":/");
    const char *const rest = resource + type + (resource[type] == '\0' ? 0 : 1);
    const struct field name = {rest, strlen(rest)};
    if (refuse_other_kinds(text, fields[SERVICE], name, e) != 0) {
        return -1;
    }
    if (!is_point(fields, name)) {
        return refuse_arn(text, e);
    }
    /* Only the region's beginning matters to the partition, so it may go on behind its end. */
    const struct partition *const partition = partition_of_region(fields[REGION].text);
    if (!is(fields[PARTITION], partition->id)) {
        return err_set(e, ERR_CONFIG, "bucket '%s': its region is one of 'arn:%s:'", text,
                       partition->id);
    }
    *ret = (struct bucket){.name = ""};
    memcpy(ret->point_region, fields[REGION].text, fields[REGION].size);
    (void)snprintf(ret->name, sizeof(ret->name), "%s-%.*s", name.text, ACCOUNT_SIZE,
                   fields[ACCOUNT].text);
    return 0;
}

/* The union of what names of buckets, old ones too, and aliases are made of. */
static int parse_name(const char *text, struct bucket *ret, struct err *e)
{
    static const char CHARACTERS[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const struct field name = {text, strlen(text)};
    if (name.size < NAME_MIN || name.size > BUCKET_NAME_MAX || !consists_of(name, CHARACTERS) ||
        text[0] == '.') {
        (void)err_set(e, ERR_CONFIG, "bucket '%s': not a bucket's name", text);
        return err_hint(e, "write the source as s3://BUCKET/BASE");
    }
    if (refuse_other_kinds(text, (struct field){"", 0}, name, e) != 0) {
        return -1;
    }
    *ret = (struct bucket){.name = ""};
    memcpy(ret->name, name.text, name.size);
    return 0;
}

int bucket_parse(const char *text, struct bucket *ret, struct err *e)
{
    ASSERT(text != NULL && ret != NULL);
    return bucket_is_arn(text) ? parse_arn(text, ret, e) : parse_name(text, ret, e);
}
