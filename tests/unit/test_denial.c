#include "s3/denial.h"
#include "tests/unit/unit.h"

#define ROLE "arn:aws:sts::123456789012:assumed-role/restore/i-0"
#define MAY_NOT "User: " ROLE " is not authorized to perform: "
#define ON_KEY "s3:GetObject on resource: \"arn:aws:s3:::b/backup/k\" "

/* S3 User Guide, "Access denied message examples and how to troubleshoot them"; the last ones are
 * those of other stores and of S3 as it was. */
static const struct {
    const char *message;
    bool told;
    struct denial denial;
    const char *next; /* in the next step for a get */
} ROWS[] = {
    {MAY_NOT "s3:ListBucket on resource: \"arn:aws:s3:::b\" because no identity-based policy "
             "allows the s3:ListBucket action",
     true,
     {ROLE, "s3:ListBucket", "arn:aws:s3:::b", "identity-based policy", "", false},
     "allow s3:ListBucket in the caller's policy, as penates policy prints it"},
    {MAY_NOT "s3:GetObject because no resource-based policy allows the s3:GetObject action",
     true,
     {ROLE, "s3:GetObject", "", "resource-based policy", "", false},
     "allow s3:GetObject in the bucket's policy"},
    {MAY_NOT ON_KEY "because no VPC endpoint policy allows the s3:GetObject action",
     true,
     {ROLE, "s3:GetObject", "arn:aws:s3:::b/backup/k", "VPC endpoint policy", "", false},
     "allow s3:GetObject in the policy of the VPC endpoint"},
    {MAY_NOT ON_KEY "because no permissions boundary allows the s3:GetObject action",
     true,
     {ROLE, "s3:GetObject", "arn:aws:s3:::b/backup/k", "permissions boundary", "", false},
     "in the caller's permissions boundary"},
    {MAY_NOT ON_KEY "because no session policy allows the s3:GetObject action",
     true,
     {ROLE, "s3:GetObject", "arn:aws:s3:::b/backup/k", "session policy", "", false},
     "in the session policy"},
    {MAY_NOT ON_KEY "because no service control policy allows the s3:GetObject action",
     true,
     {ROLE, "s3:GetObject", "arn:aws:s3:::b/backup/k", "service control policy", "", false},
     "in the organization's policy"},
    {MAY_NOT ON_KEY "with an explicit deny in a service control policy",
     true,
     {ROLE, "s3:GetObject", "arn:aws:s3:::b/backup/k", "service control policy", "", true},
     "narrow the Deny in the organization's policy"},
    {MAY_NOT ON_KEY "with an explicit deny in a resource control policy: "
                    "arn:aws:organizations::777777777777:policy/o-1/p-1",
     true,
     {ROLE, "s3:GetObject", "arn:aws:s3:::b/backup/k", "resource control policy",
      "arn:aws:organizations::777777777777:policy/o-1/p-1", true},
     "narrow the Deny"},
    {MAY_NOT ON_KEY "with an explicit deny in a resource-based policy",
     true,
     {ROLE, "s3:GetObject", "arn:aws:s3:::b/backup/k", "resource-based policy", "", true},
     "narrow the Deny in the bucket's policy"},
    {MAY_NOT ON_KEY "with an explicit deny in an identity-based policy: "
                    "arn:aws:iam::123456789012:policy/no",
     true,
     {ROLE, "s3:GetObject", "arn:aws:s3:::b/backup/k", "identity-based policy",
      "arn:aws:iam::123456789012:policy/no", true},
     "narrow the Deny in the caller's policy"},
    {MAY_NOT "kms:Decrypt on resource: arn:aws:kms:us-east-1:111122223333:key/1 because no "
             "identity-based policy allows the kms:Decrypt action",
     true,
     {ROLE, "kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/1", "identity-based policy", "",
      false},
     "allow kms:Decrypt in the caller's policy"},
    {MAY_NOT "kms:Decrypt on resource: arn:aws:kms:us-east-1:111122223333:key/1 because the "
             "resource does not exist in this Region, no resource-based policies allow access, or "
             "a resource-based policy explicitly denies access",
     true,
     {ROLE, "kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/1", "resource-based policy", "",
      false},
     "allow kms:Decrypt in the KMS key's own policy"},
    {MAY_NOT "kms:Decrypt on this resource with an explicit deny in a VPC endpoint policy",
     true,
     {ROLE, "kms:Decrypt", "", "VPC endpoint policy", "", true},
     "narrow the Deny in the policy of the VPC endpoint"},
    {MAY_NOT "s3:RestoreObject on resource: "
             "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/ap/object/k",
     true,
     {ROLE, "s3:RestoreObject", "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/ap/object/k",
      NULL, "", false},
     "where it is allowed, look at the KMS key"},
    {"User: anonymous is not authorized to perform: " ON_KEY
     "because no resource-based policy allows the s3:GetObject action",
     true,
     {"anonymous", "s3:GetObject", "arn:aws:s3:::b/backup/k", "resource-based policy", "", false},
     "allow s3:GetObject in the bucket's policy"},
    {"not authorized to perform: s3:ListBucket",
     true,
     {"", "s3:ListBucket", "", NULL, "", false},
     "look at"},
    /* What is in the name of a key is not taken for a reason. */
    {MAY_NOT "s3:GetObject on resource: \"arn:aws:s3:::b/ with an explicit deny in a session policy"
             "\" because no VPC endpoint policy allows the s3:GetObject action",
     true,
     {ROLE, "s3:GetObject", "arn:aws:s3:::b/ with an explicit deny in a session policy",
      "VPC endpoint policy", "", false},
     "VPC endpoint"},
    {"Access Denied", false, {.policy = NULL}, "where it is allowed, look at the KMS key"},
    {"Access Denied.", false, {.policy = NULL}, "where it is allowed, look at the KMS key"},
    {"", false, {.policy = NULL}, "where it is allowed, look at the KMS key"},
    {"Request has expired", false, {.policy = NULL}, "look at"},
    {"not authorized to perform", false, {.policy = NULL}, "look at"},
    {"not authorized to perform: ", false, {.policy = NULL}, "look at"},
    {"not authorized to perform: everything", false, {.policy = NULL}, "look at"},
};

static const struct denial_asked GET = {.action = "s3:GetObject",
                                        .bucket = "b",
                                        .key = "backup/k",
                                        .region = "us-east-1",
                                        .caller = "instance role 'x'"};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        struct denial denial = {.policy = NULL};
        const struct denial *wanted = &ROWS[i].denial;
        assert_int_equal(denial_parse(ROWS[i].message, &denial), ROWS[i].told);
        assert_string_equal(denial.user, wanted->user);
        assert_string_equal(denial.action, wanted->action);
        assert_string_equal(denial.resource, wanted->resource);
        assert_string_equal(denial.policy_arn, wanted->policy_arn);
        assert_int_equal(denial.policy == NULL, wanted->policy == NULL);
        if (wanted->policy != NULL) {
            assert_string_equal(denial.policy, wanted->policy);
        }
        assert_int_equal(denial.by_deny, wanted->by_deny);
        struct err e = ERR_INIT;
        denial_word(&GET, "403 AccessDenied", ROWS[i].message, &e);
        assert_int_equal(e.kind, ERR_AUTH);
        if (strstr(e.hint, ROWS[i].next) == NULL) {
            fail_msg("%s", e.hint);
        }
    }
}

static void test_words(void **state)
{
    (void)state;
    static const struct {
        struct denial_asked asked;
        const char *message, *text;
    } CASES[] = {
        {{"s3:GetObject", false, "b", "backup/k", "us-east-1", "instance role 'x'"},
         "Access Denied",
         "403 AccessDenied: the caller (instance role 'x') was refused s3:GetObject on "
         "arn:aws:s3:::b/backup/k"},
        {{"s3:ListBucket", true, "b", "backup/", "cn-north-1", "environment"},
         "",
         "403 AccessDenied: the caller (environment) was refused s3:ListBucket on "
         "arn:aws-cn:s3:::b with prefix backup/"},
        {{"s3:ListBucket", true, "b", "", "us-gov-west-1", "environment"},
         "",
         "403 AccessDenied: the caller (environment) was refused s3:ListBucket on "
         "arn:aws-us-gov:s3:::b"},
        {{"s3:GetObjectVersion", false, "arn:aws:s3:eu-west-1:123456789012:accesspoint/ap", "k",
          "eu-west-1", "environment"},
         "Access Denied",
         "403 AccessDenied: the caller (environment) was refused s3:GetObjectVersion on "
         "arn:aws:s3:eu-west-1:123456789012:accesspoint/ap/object/k"},
        {{"s3:ListBucket", true, "arn:aws:s3:eu-west-1:123456789012:accesspoint/ap", "p",
          "eu-west-1", "environment"},
         "Access Denied",
         "403 AccessDenied: the caller (environment) was refused s3:ListBucket on "
         "arn:aws:s3:eu-west-1:123456789012:accesspoint/ap with prefix p"},
        {{"s3:GetObject", false, "b", "k", "us-east-1", NULL},
         "Access Denied",
         "403 AccessDenied: an unsigned request was refused s3:GetObject on arn:aws:s3:::b/k"},
        {{"s3:GetObject", false, "b", "k", "us-east-1", "environment"},
         "Not on a Sunday",
         "403 AccessDenied: Not on a Sunday: the caller (environment) was refused s3:GetObject on "
         "arn:aws:s3:::b/k"},
        {{"s3:GetObject", false, "b", "k", "us-east-1", "environment"},
         MAY_NOT "s3:GetObject because no session policy allows the s3:GetObject action",
         "403 AccessDenied: no session policy allows it: " ROLE
         " was refused s3:GetObject on arn:aws:s3:::b/k"},
        {{"s3:GetObject", false, "b", "k", "us-east-1", "environment"},
         MAY_NOT "kms:Decrypt with an explicit deny in a resource-based policy",
         "403 AccessDenied: an explicit deny in a resource-based policy: " ROLE
         " was refused kms:Decrypt"},
        {{"s3:GetObject", false, "b", "k", "us-east-1", "environment"},
         MAY_NOT ON_KEY
         "with an explicit deny in an identity-based policy: arn:aws:iam::1:policy/p",
         "403 AccessDenied: an explicit deny in the identity-based policy "
         "arn:aws:iam::1:policy/p: " ROLE " was refused s3:GetObject on arn:aws:s3:::b/backup/k"},
        {{"s3:GetObject", false, "b", "k\n\x1b[31m", "us-east-1", "environment"},
         "no\npenates: error: way\x1b[2J\r\xc2\x9b",
         "403 AccessDenied: no?penates: error: way?[2J???: the caller (environment) was refused "
         "s3:GetObject on arn:aws:s3:::b/k??[31m"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct err e = ERR_INIT;
        denial_word(&CASES[i].asked, "403 AccessDenied", CASES[i].message, &e);
        assert_string_equal(e.text, CASES[i].text);
        assert_true(e.hint[0] != '\0');
    }
}

/* The action stays on the line, however long the names around it are. */
static void test_long_names_are_cut(void **state)
{
    (void)state;
    char key[1025], message[5000];
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    struct denial_asked asked = GET;
    asked.key = key;
    struct err e = ERR_INIT;
    denial_word(&asked, "403 AccessDenied", "Access Denied", &e);
    assert_non_null(strstr(e.text, "was refused s3:GetObject on arn:aws:s3:::b/kkk"));
    assert_string_equal(e.text + strlen(e.text) - 4, "k...");
    (void)snprintf(
        message, sizeof(message),
        "User: %s is not authorized to perform: s3:GetObject on resource: \"%s\" with an "
        "explicit deny in a session policy: arn:%s",
        key, key, key);
    denial_word(&asked, "403 AccessDenied", message, &e);
    assert_non_null(strstr(e.text, "kkk... was refused s3:GetObject on kkk"));
    assert_string_equal(e.hint, "narrow the Deny in the session policy that the role was assumed "
                                "with");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_long_names_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
