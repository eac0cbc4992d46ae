#include "agent/policy.h"

#include <string.h>

#include "agent/backup_key.h"
#include "agent/base/mem.h"
#include "agent/commands.h"
#include "agent/json_write.h"
#include "agent/out_file.h"
#include "s3/bucket.h"
#include "s3/creds_role.h"
#include "s3/partition.h"

enum { PATTERNS_MAX = 3 };

/* Key patterns that a restore lists and gets. */
struct policy {
    char *bucket;  /* its ARN: what is listed */
    char *objects; /* ARN that object keys follow, without the '/' between */
    char *base;    /* escaped, ends in '/' unless empty */
    char *patterns[PATTERNS_MAX];
    unsigned count;
    bool lists_base; /* the regions have to be found first */
    bool versions;   /* --source-version-at */
};

static void policy_done(struct policy *policy)
{
    for (unsigned i = 0; i < policy->count; i++) {
        free(policy->patterns[i]);
    }
    free(policy->base);
    free(policy->objects);
    free(policy->bucket);
}

/* '*', '?' and '$' mean something in a policy; "${*}" is the star itself. */
static char *escape(const char *text, size_t size)
{
    char *escaped = (char *)xcalloc(size * 4 + 1, 1);
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        if (strchr("*?$", text[i]) != NULL) {
            escaped[used++] = '$';
            escaped[used++] = '{';
            escaped[used++] = text[i];
            escaped[used++] = '}';
        } else {
            escaped[used++] = text[i];
        }
    }
    return escaped;
}

/* As the client finds it (creds.h), but for what takes a profile or the network. */
static const char *find_region(const struct config *config)
{
    static const char *const NAMES[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};
    const char *region = config->region;
    for (size_t i = 0; i < ARRAY_SIZE(NAMES) && (region == NULL || region[0] == '\0'); i++) {
        region = getenv(NAMES[i]);
    }
    return region == NULL ? "" : region;
}

static const char *partition(const struct config *config)
{
    return partition_of_region(find_region(config))->id;
}

/* An access point has an ARN of its own, and its objects are below ".../object". */
static int name_resources(struct policy *policy, const struct config *config, const char *text,
                          struct err *e)
{
    if (!bucket_is_arn(text)) {
        if (bucket_is_alias(text)) {
            (void)err_set(e, ERR_CONFIG, "%s: IAM knows no aliases of access points", text);
            return err_hint(e, "give the access point's ARN: s3://arn:aws:s3:REGION:ACCOUNT:"
                               "accesspoint/NAME/BASE");
        }
        policy->bucket = xasprintf("arn:%s:s3:::%s", partition(config), text);
        policy->objects = xstrdup(policy->bucket);
        return 0;
    }
    struct bucket point;
    if (bucket_parse(text, &point, e) != 0) {
        return -1;
    }
    policy->bucket = xstrdup(text);
    /* IAM knows only one of the two ways to write it. */
    char *const separator = strstr(policy->bucket, ":accesspoint") + strlen(":accesspoint");
    *separator = '/';
    policy->objects = xasprintf("%s/object", policy->bucket);
    return 0;
}

static int read_source(struct policy *policy, const struct config *config, struct err *e)
{
    static const char SCHEME[] = "s3://";
    const char *const source = config->source;
    if (strncmp(source, SCHEME, strlen(SCHEME)) != 0 || bucket_span(source + strlen(SCHEME)) == 0) {
        err_set(e, ERR_CONFIG, "%s: is not in a bucket", source);
        return err_hint(e, "give s3://BUCKET/BASE; a directory needs no policy");
    }
    const char *const rest = source + strlen(SCHEME);
    const size_t bucket_size = bucket_span(rest);
    autofree char *bucket = xstrndup(rest, bucket_size);
    if (name_resources(policy, config, bucket, e) != 0) {
        return -1;
    }
    const char *const base = rest + bucket_size + (rest[bucket_size] == '/' ? 1 : 0);
    size_t base_size = strlen(base);
    base_size -= base_size > 0 && base[base_size - 1] == '/' ? 1 : 0;
    autofree char *escaped = escape(base, base_size);
    policy->base = xasprintf("%s%s", escaped, base_size == 0 ? "" : "/");
    return 0;
}

/* Where the catalog looks for this selection (see catalog.h), and nowhere else. */
static void choose_patterns(struct policy *policy, const struct selection *selection)
{
    const char *name = selection->cluster;
    const char *const region = selection->source_region;
    if (name == NULL && region != NULL && selection->format == DIALECT_V1) {
        autofree char *escaped = escape(region, strlen(region));
        policy->patterns[policy->count++] = xasprintf("%s%s/*", policy->base, escaped);
        return;
    }
    if (name == NULL) { /* of a v2 cluster not even the folder is known */
        policy->patterns[policy->count++] = xasprintf("%s*", policy->base);
        return;
    }
    autofree char *cluster = escape(name, strlen(name));
    if (selection->format != DIALECT_V1) {
        policy->patterns[policy->count++] = xasprintf(
            "%s%d_%s/*", policy->base, backup_key_cluster_hash(name, strlen(name)), cluster);
    }
    if (selection->format != DIALECT_V2) {
        autofree char *escaped = region == NULL ? xstrdup("*") : escape(region, strlen(region));
        policy->patterns[policy->count++] = xasprintf("%s%s/%s/*", policy->base, escaped, cluster);
        policy->lists_base = region == NULL;
    }
    ASSERT(policy->count > 0 && policy->count <= PATTERNS_MAX);
}

static void put_list(struct json *json, const struct policy *policy)
{
    json_open_object(json, NULL);
    json_string(json, "Sid", "ListTheBackup");
    json_string(json, "Effect", "Allow");
    json_open_array(json, "Action");
    /* Also beside the other: without it S3 says 403 where an object is missing. */
    json_string(json, NULL, "s3:ListBucket");
    if (policy->versions) {
        json_string(json, NULL, "s3:ListBucketVersions");
    }
    json_close(json);
    json_string(json, "Resource", policy->bucket);
    json_open_object(json, "Condition");
    json_open_object(json, "StringLike");
    json_open_array(json, "s3:prefix");
    if (policy->lists_base) {
        json_string(json, NULL, policy->base);
    }
    for (unsigned i = 0; i < policy->count; i++) {
        json_string(json, NULL, policy->patterns[i]);
    }
    json_close(json);
    json_close(json);
    json_close(json);
    json_close(json);
}

/* A statement that allows one action; its resources and its end are left to the caller. */
static void open_allow(struct json *json, const char *sid, const char *action)
{
    json_open_object(json, NULL);
    json_string(json, "Sid", sid);
    json_string(json, "Effect", "Allow");
    json_string(json, "Action", action);
}

static void put_objects(struct json *json, const struct policy *policy, const char *sid,
                        const char *action)
{
    open_allow(json, sid, action);
    json_open_array(json, "Resource");
    for (unsigned i = 0; i < policy->count; i++) {
        autofree char *arn = xasprintf("%s/%s", policy->objects, policy->patterns[i]);
        json_string(json, NULL, arn);
    }
    json_close(json);
    json_close(json);
}

static int check_role(const char *arn, struct err *e)
{
    const struct creds_role role = {.arn = arn};
    return creds_role_check(&role, e) == 0 ? 0 : err_wrap(e, "--role-arn");
}

static void put_role(struct json *json, const char *arn)
{
    autofree char *escaped = escape(arn, strlen(arn)); /* its path may have a star in it */
    open_allow(json, "AssumeTheRole", "sts:AssumeRole");
    json_string(json, "Resource", escaped);
    json_close(json);
}

/* The other way of signalling asks for no right. A wait condition's URL has its own. */
static bool signals_stack(const struct config *config)
{
    return config->stack != NULL && config->signal_auth == SIGNAL_AUTH_SIGV4;
}

static int check_stack(const struct config *config, struct err *e)
{
    if (signals_stack(config) && strncmp(config->stack, "arn:", 4) != 0) {
        err_set(e, ERR_CONFIG, "--stack: a policy names it by its ARN, not as '%s'", config->stack);
        return err_hint(e, "give arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/ID");
    }
    return 0;
}

static void put_stack(struct json *json, const char *arn)
{
    open_allow(json, "SignalTheStack", "cloudformation:SignalResource");
    json_string(json, "Resource", arn);
    json_close(json);
}

static void put_state_objects(struct json *json, const struct policy *state, const char *sid,
                              const char *action, const char *const *folders, const char *id)
{
    open_allow(json, sid, action);
    json_open_array(json, "Resource");
    for (unsigned i = 0; folders[i] != NULL; i++) {
        const bool plan = strcmp(folders[i], "plans") == 0;
        autofree char *arn =
            xasprintf("%s/%s%s/%s", state->objects, state->base, folders[i], plan ? "*.json" : id);
        json_string(json, NULL, arn);
    }
    json_close(json);
    json_close(json);
}

/* What a node needs of a ring's state bucket: its plan, its report, its claim and the stamp of its
 * slot. */
static int put_state(struct json *json, const struct config *config, struct err *e)
{
    struct policy state __attribute__((cleanup(policy_done))) = {.count = 0};
    struct config place = *config;
    place.source = config->state;
    if (read_source(&state, &place, e) != 0) {
        return -1;
    }
    autofree char *escaped = config->restore_id == NULL
                                 ? xstrdup("*")
                                 : escape(config->restore_id, strlen(config->restore_id));
    autofree char *id = xasprintf("%s/*.json", escaped);
    /* Without a condition on the prefix: a GET has none, and where it is not met, what is missing
     * is a 403. */
    open_allow(json, "SeeWhatIsFree", "s3:ListBucket");
    json_string(json, "Resource", state.bucket);
    json_close(json);
    put_state_objects(json, &state, "ReadTheRing", "s3:GetObject",
                      (const char *const[]){"plans", "claims", "nodes", NULL}, id);
    put_state_objects(json, &state, "ClaimAndReport", "s3:PutObject",
                      (const char *const[]){"claims", "nodes", NULL}, id);
    return 0;
}

int policy_make(const struct config *config, char **ret, struct err *e)
{
    ASSERT(config->source != NULL);
    if ((config->role_arn != NULL && check_role(config->role_arn, e) != 0) ||
        check_stack(config, e) != 0) {
        return -1;
    }
    struct policy policy
        __attribute__((cleanup(policy_done))) = {.versions = config->selection.version_at_ms != 0};
    if (read_source(&policy, config, e) != 0) {
        return -1;
    }
    choose_patterns(&policy, &config->selection);
    struct mem_file mem;
    struct json json = JSON_INIT(mem_file_open(&mem), true);
    int result = 0;
    json_open_object(&json, NULL);
    json_string(&json, "Version", "2012-10-17");
    json_open_array(&json, "Statement");
    put_list(&json, &policy);
    put_objects(&json, &policy, "ReadTheBackup",
                policy.versions ? "s3:GetObjectVersion" : "s3:GetObject");
    if (config->thaw_days > 0) {
        put_objects(&json, &policy, "ThawTheBackup", "s3:RestoreObject");
    }
    if (config->role_arn != NULL) {
        put_role(&json, config->role_arn);
    }
    if (signals_stack(config)) {
        put_stack(&json, config->stack);
    }
    if (config->state != NULL) {
        result = put_state(&json, config, e);
    }
    json_close(&json);
    json_close(&json);
    json_end(&json);
    autofree char *text = mem_file_close(&mem);
    if (result == 0) {
        *ret = TAKE_PTR(text);
    }
    return result;
}

/* What it allows beyond one cluster, and how to have less. */
static void tell_width(const struct selection *selection)
{
    const bool region = selection->source_region != NULL;
    if (selection->cluster == NULL && region && selection->format == DIALECT_V1) {
        log_info("it covers every cluster of the region; --cluster NAME narrows it");
    } else if (selection->cluster == NULL && region && selection->format == DIALECT_AUTO) {
        log_info(
            "it covers every cluster below the base; --cluster NAME or --format v1 narrows it");
    } else if (selection->cluster == NULL) {
        log_info("it covers every cluster below the base; --cluster NAME narrows it");
    } else if (!region && selection->format != DIALECT_V2) {
        log_info(
            "it covers every region of a v1 backup; --source-region or --format v2 narrows it");
    }
}

int policy_run(const struct config *config, struct err *e)
{
    autofree char *text = NULL;
    if (policy_make(config, &text, e) != 0) {
        return -1;
    }
    (void)fputs(text, stdout); /* the flush tells */
    tell_width(&config->selection);
    if (config->role_arn != NULL) {
        log_info("AssumeTheRole is for the caller, the other statements are for the role, whose "
                 "trust policy has to name the caller");
    }
    if (signals_stack(config)) {
        log_info("SignalTheStack is for the node's own role, also where another one is assumed");
    }
    if (config->state != NULL && config->role_arn != NULL) {
        log_info("but SeeWhatIsFree, ReadTheRing and ClaimAndReport are for the caller: the state "
                 "bucket is asked without the role");
    }
    log_info("if the objects are encrypted with a KMS key, allow kms:Decrypt on that key, too");
    return out_file_flush_stdout(e);
}
