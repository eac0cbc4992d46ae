/*
 * creds_provider: what creds.c and its providers share; nobody else includes it, tests apart.
 *
 *     creds.c ──▶ creds_chain.c ──▶ environment ──▶ profiles (creds_links.c) ──▶ container ──▶
 *                      │            instance metadata
 *                      ╰──▶ STS: with their credentials to those of a role
 *
 * A provider fills a value, or fails with ERR_NOT_FOUND: it has nothing and the next one is asked.
 * Any other failure ends the chain, so that a provider which was set up but is broken is never
 * skipped in favour of somebody else's rights. Providers keep no state; one call at a time.
 */
#ifndef PENATES_S3_CREDS_PROVIDER_H
#define PENATES_S3_CREDS_PROVIDER_H

#include "s3/creds.h"

/* The world outside, for tests to replace. */
struct creds_system {
    const char *(*get_env)(void *ctx, const char *name); /* NULL when not set; borrowed */
    int64_t (*now_ms)(void *ctx);
    void (*sleep_ms)(void *ctx, uint64_t ms);
    void *ctx;
    long imds_ms;    /* for one answer of a metadata service; 0: as long as it may take on EC2 */
    long process_ms; /* for a credential_process; 0: 60 s */
};

/* This process's. */
extern const struct creds_system creds_process_system;

/* As creds_new, in another world; *system is copied, its ctx borrowed. */
struct creds *creds_new_in(const struct creds_options *options, const struct creds_system *system);

/* Until no fetch is under way. */
void creds_wait(struct creds *creds);

/* An environment variable, NULL when not set or empty. Borrowed. */
const char *creds_env(const struct creds_system *system, const char *name);

/*
 * Makes a value of the parts, token NULL or "" for none. ERR_CONFIG, with the source in front, when
 * a part is empty, longer than its room or not of visible ASCII; the text never quotes it.
 */
int creds_value_set(struct creds_value *ret, const char *source, const char *id, const char *secret,
                    const char *token, int64_t expires_ms, struct err *e) MUST_CHECK;

/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SECURITY_TOKEN or AWS_SESSION_TOKEN, and
 * AWS_CREDENTIAL_EXPIRATION. */
int creds_env_read(const struct creds_system *system, struct creds_value *ret,
                   struct err *e) MUST_CHECK;

/*
 * A whole small file of secrets, NUL behind its end. The caller wipes and frees. ERR_NOT_FOUND when
 * there is none; ERR_CONFIG when it cannot be read, or has size_max bytes or more.
 */
int creds_read_text(const char *path, size_t size_max, char **ret_text, size_t *ret_size,
                    struct err *e) MUST_CHECK;

/* The whole chain, once: see creds_chain.c. */
int creds_chain_ask(const struct creds_system *system, const struct creds_options *options,
                    struct creds_value *ret, struct err *e) MUST_CHECK;

/* The profile's part of it: roles, a web identity of the environment or of the profile, a process,
 * keys. A profile that is named and is nowhere is ERR_CONFIG. */
int creds_links_read(const struct creds_system *system, const struct creds_options *options,
                     struct creds_value *ret, struct err *e) MUST_CHECK;

/* AWS_REGION, AWS_DEFAULT_REGION, the profile's, that of the instance; NULL when none says, or the
 * files cannot be read. Caller frees. */
char *creds_find_region(const struct creds_system *system, const char *profile);

/*
 * Runs a profile's credential_process, without a shell; `source` is for messages: "profile 'dr'".
 * One that takes too long is ended. ERR_CONFIG when it cannot be run, ERR_AUTH when it fails; the
 * text quotes neither its arguments nor what it prints. No Expiration: they never expire.
 */
int creds_process_read(const struct creds_system *system, const char *command, const char *source,
                       struct creds_value *ret, struct err *e) MUST_CHECK;
/* What it printed; `text` holds size bytes and a NUL, and is decoded in place. */
int creds_process_parse(char *text, size_t size, int64_t now_ms, struct creds_value *ret,
                        struct err *e) MUST_CHECK;

/*
 * The role of a container: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI name the agent,
 * AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE or _TOKEN what it wants to see. ERR_NOT_FOUND when neither
 * URI is set; ERR_CONFIG when it is none that may be asked, or the token cannot be sent.
 */
int creds_container_read(const struct creds_system *system, struct creds_value *ret,
                         struct err *e) MUST_CHECK;
/* What the agent answers; `text` holds size bytes and a NUL, and is decoded in place. */
int creds_container_parse(char *text, size_t size, struct creds_value *ret,
                          struct err *e) MUST_CHECK;

/* Where the metadata service is, without a '/' at the end. ERR_CONFIG when the environment or the
 * profile (NULL: the environment's) says something else than an http:// or https:// address that
 * fits, or than a mode IPv4 or IPv6. */
enum { CREDS_ENDPOINT_MAX = 256 };
int creds_imds_endpoint(const struct creds_system *system, const char *profile,
                        char ret[CREDS_ENDPOINT_MAX], struct err *e) MUST_CHECK;

/* How long and how often it is asked. ERR_CONFIG when the environment or the profile says something
 * else than 1 to 60 seconds, or than 1 to 10 attempts. */
struct creds_imds_limits {
    long connect_ms, total_ms; /* of one request */
    unsigned tries;         /* of a visit, that fail: the service throttles and is late at boot */
    unsigned connect_tries; /* of these, while nobody answers: so it is off EC2 */
};
int creds_imds_limits(const struct creds_system *system, const char *profile,
                      struct creds_imds_limits *ret, struct err *e) MUST_CHECK;

/* The role of this instance, by IMDSv2 only. */
int creds_imds_read(const struct creds_system *system, const char *profile, struct creds_value *ret,
                    struct err *e) MUST_CHECK;
/* placement/region; NULL when it cannot be had. Caller frees. */
char *creds_imds_region(const struct creds_system *system, const char *profile);

/* Any answer as it is, path and all. Fails as creds_metadata does, or with ERR_LIMIT. */
int creds_imds_text(const struct creds_system *system, const char *profile, const char *path,
                    struct buf *ret, struct err *e) MUST_CHECK;

/* See creds_metadata. */
int creds_imds_word(const struct creds_system *system, const char *profile, const char *path,
                    char ret[CREDS_METADATA_SIZE], struct err *e) MUST_CHECK;

/* The credentials document of a role; `text` holds size bytes and is decoded in place. */
int creds_imds_parse(char *text, size_t size, struct creds_value *ret, struct err *e) MUST_CHECK;

#endif
