#include "s3/denial.h"

#include <string.h>
#include <strings.h>

#include "s3/partition.h"

enum { MESSAGE_SHOWN = 200 }; /* of a message that is none of S3's */

/* What S3 calls the kinds of policies, and where one is to be found. */
static const struct policy {
    const char *sign; /* in the message */
    const char *name;
    const char *place;
} POLICIES[] = {
    {"identity-based", "identity-based policy", "the caller's policy"},
    {"resource-based", "resource-based policy", "the bucket's policy"},
    {"VPC endpoint policy", "VPC endpoint policy", "the policy of the VPC endpoint"},
    {"permissions boundary", "permissions boundary", "the caller's permissions boundary"},
    {"session policy", "session policy", "the session policy that the role was assumed with"},
    {"service control policy", "service control policy", "the organization's policy"},
    {"resource control policy", "resource control policy", "the organization's policy"},
};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void copy_cut(const char *text, size_t size, char *ret, size_t ret_size)
{
    static const char MORE[] = "...";
    ASSERT(ret_size > sizeof(MORE));
    const bool fits = size < ret_size;
    const size_t kept = fits ? size : ret_size - sizeof(MORE);
    memcpy(ret, text, kept);
    memcpy(ret + kept, MORE, fits ? 0 : sizeof(MORE) - 1);
    ret[kept + (fits ? 0 : sizeof(MORE) - 1)] = '\0';
}

/* An ARN at the start of `text`, in quotes or up to a space; what follows it. */
static const char *take_arn(const char *text, char ret[DENIAL_ARN_MAX])
{
    const bool quoted = text[0] == '"';
    const char *const begin = text + quoted;
    const size_t size = strcspn(begin, quoted ? "\"" : " \"");
    copy_cut(begin, size, ret, DENIAL_ARN_MAX);
    return begin + size;
}

/* "because no X allows the Y action", "with an explicit deny in an X[: ARN]". */
static void take_reason(const char *text, struct denial *denial)
{
    for (size_t i = 0; i < ARRAY_SIZE(POLICIES); i++) {
        const char *const found = strstr(text, POLICIES[i].sign);
        if (found != NULL) {
            denial->policy = POLICIES[i].name;
            denial->by_deny = strstr(text, "explicit deny in") != NULL;
            const char *const arn = strstr(found, ": arn:");
            if (denial->by_deny && arn != NULL) {
                (void)take_arn(arn + 2, denial->policy_arn);
            }
            return;
        }
    }
}

bool denial_parse(const char *message, struct denial *ret)
{
    static const char VERB[] = "not authorized to perform";
    static const char USER[] = "User: ";
    static const char RESOURCE[] = "on resource: ";
    const char *const verb = strstr(message, VERB);
    if (verb == NULL) {
        return false;
    }
    const char *const action = verb + strlen(VERB) + strspn(verb + strlen(VERB), ": ");
    const size_t action_size = strcspn(action, " \".,");
    if (action_size >= DENIAL_ACTION_MAX || memchr(action, ':', action_size) == NULL) {
        return false;
    }
    struct denial denial = {.policy = NULL};
    copy_cut(action, action_size, denial.action, sizeof(denial.action));
    if (begins(message, USER)) {
        (void)take_arn(message + strlen(USER), denial.user);
    }
    const char *rest = action + action_size;
    const char *const resource = strstr(rest, RESOURCE);
    if (resource != NULL) {
        rest = take_arn(resource + strlen(RESOURCE), denial.resource);
    }
    take_reason(rest, &denial);
    *ret = denial;
    return true;
}

/* What was asked for, where S3 does not say it. */
static void fill_resource(const struct denial_asked *asked, char ret[DENIAL_ARN_MAX])
{
    const bool is_arn = begins(asked->bucket, "arn:"); /* an access point's */
    const char *between = is_arn ? "/object/" : "/";
    if (asked->list) {
        between = asked->key[0] == '\0' ? "" : " with prefix ";
    }
    char text[DENIAL_ARN_MAX + 2]; /* one byte more than fits, so that a cut is seen */
    (void)snprintf(text, sizeof(text), "%s%s%s%s%s%s",
                   is_arn ? "" : "arn:", is_arn ? "" : partition_of_region(asked->region)->id,
                   is_arn ? "" : ":s3:::", asked->bucket, between, asked->key);
    copy_cut(text, strlen(text), ret, DENIAL_ARN_MAX);
}

static void fill_user(const struct denial_asked *asked, char ret[DENIAL_ARN_MAX])
{
    if (asked->caller == NULL) {
        (void)snprintf(ret, DENIAL_ARN_MAX, "an unsigned request");
    } else {
        (void)snprintf(ret, DENIAL_ARN_MAX, "the caller (%s)", asked->caller);
    }
}

static void hint_told(const struct denial *denial, struct err *e)
{
    const char *place = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(POLICIES); i++) {
        place = denial->policy == POLICIES[i].name ? POLICIES[i].place : place;
    }
    ASSERT(place != NULL);
    if (begins(denial->action, "kms:") && begins(denial->policy, "resource-based")) {
        place = "the KMS key's own policy";
    }
    if (denial->by_deny) {
        err_hint(e, "narrow the Deny in %s", place);
    } else if (begins(denial->action, "s3:")) {
        err_hint(e, "allow %s in %s, as penates policy prints it", denial->action, place);
    } else {
        err_hint(e, "allow %s in %s", denial->action, place);
    }
}

/* Much is refused in these words, and S3 does not say what it was. */
static void hint_untold(const struct denial_asked *asked, bool kms, struct err *e)
{
    if (kms) {
        err_hint(e, "allow kms:Decrypt on the object's key, and see that the key is enabled");
    } else if (asked->caller == NULL) {
        err_hint(e, "give credentials instead of --no-sign: the bucket is not open to all");
    } else if (asked->list) {
        err_hint(e, "allow it (penates policy prints how); where it is allowed, look at the "
                    "policies of bucket and VPC endpoint, --request-payer, "
                    "--expected-bucket-owner");
    } else {
        err_hint(e, "allow it (penates policy prints how); where it is allowed, look at the KMS "
                    "key, the policies of bucket and VPC endpoint, --request-payer, "
                    "--expected-bucket-owner; without s3:ListBucket, a missing object looks so");
    }
}

/* "Access Denied" and nothing more. */
static bool says_nothing(const char *message)
{
    static const char NOTHING[] = "access denied";
    return message[0] == '\0' ||
           (strncasecmp(message, NOTHING, strlen(NOTHING)) == 0 &&
            message[strlen(NOTHING) + strspn(message + strlen(NOTHING), ".")] == '\0');
}

static void fill_why(const struct denial *denial, char *ret, size_t ret_size)
{
    const char *const arn = denial->policy_arn;
    if (denial->policy == NULL) {
        ret[0] = '\0';
    } else if (!denial->by_deny) {
        (void)snprintf(ret, ret_size, "no %s allows it: ", denial->policy);
    } else if (arn[0] == '\0') {
        (void)snprintf(ret, ret_size, "an explicit deny in a %s: ", denial->policy);
    } else {
        (void)snprintf(ret, ret_size, "an explicit deny in the %s %s: ", denial->policy, arn);
    }
}

void denial_word(const struct denial_asked *asked, const char *what, const char *message,
                 struct err *e)
{
    struct denial denial = {.policy = NULL};
    char why[DENIAL_ARN_MAX + 64] = "";
    if (denial_parse(message, &denial)) {
        fill_why(&denial, why, sizeof(why));
    } else {
        (void)snprintf(denial.action, sizeof(denial.action), "%s", asked->action);
        if (!says_nothing(message)) {
            (void)snprintf(why, sizeof(why), "%.*s: ", MESSAGE_SHOWN, message);
        }
    }
    if (denial.user[0] == '\0') {
        fill_user(asked, denial.user);
    }
    const bool kms = begins(denial.action, "kms:"); /* of a key, which only S3 knows */
    if (denial.resource[0] == '\0' && !kms) {
        fill_resource(asked, denial.resource);
    }
    err_set(e, ERR_AUTH, "%s: %s%s was refused %s%s%s", what, why, denial.user, denial.action,
            denial.resource[0] == '\0' ? "" : " on ", denial.resource);
    if (denial.policy != NULL) {
        hint_told(&denial, e);
    } else {
        hint_untold(asked, kms, e);
    }
}
