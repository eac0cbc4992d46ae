/*
 * s3: listing and getting objects. Knows nothing of backups.
 *
 *     caller ── s3_submit(get) ──▶ net thread (curl multi) ── bytes into get->into ──▶ get->done
 *
 * A get is one bounded request into memory that the caller already owns: there is no other back
 * pressure and no unbounded buffer. Retries, throttling, redirects to the bucket's region, clock
 * skew and renewed credentials happen in here; a reset after n bytes asks for the rest only and the
 * caller never learns. Every request is signed by sigv4.c. All functions may be called from any
 * thread. Nothing here logs above debug, and no secret or signature is logged at all.
 */
#ifndef PENATES_S3_S3_H
#define PENATES_S3_S3_H

#include "agent/base/buf.h"
#include "agent/base/err.h"
#include "s3/creds.h"

enum s3_checksum_kind {
    S3_CHECKSUM_NONE,
    S3_CHECKSUM_CRC32,
    S3_CHECKSUM_CRC32C,
    S3_CHECKSUM_CRC64NVME,
    S3_CHECKSUM_SHA1,
    S3_CHECKSUM_SHA256,
};

/* x-amz-checksum-*: big-endian bytes as S3 sends them, after base64. */
struct s3_checksum {
    enum s3_checksum_kind kind;
    bool composite; /* a checksum of the parts' checksums ("value-N"), not of the bytes */
    unsigned parts; /* N of a composite one */
    size_t size;    /* 4, 8, 20 or 32 */
    uint8_t bytes[32];
};

/* How an object is stored, as its answer says. */
enum s3_encryption {
    S3_ENCRYPTION_UNTOLD,
    S3_ENCRYPTION_S3, /* SSE-S3: the store's own keys */
    S3_ENCRYPTION_KMS,
    S3_ENCRYPTION_CUSTOMER, /* SSE-C */
};

struct s3_options {
    const char *bucket;
    const char *region;   /* NULL: found from the bucket's own answers, us-east-1 first */
    const char *endpoint; /* NULL: AWS. "http://127.0.0.1:9000" for others */
    bool path_style;      /* implied by dotted bucket names, and by an endpoint of one's own */
    bool virtual_host;    /* the bucket in front of the host of such an endpoint, too */
    bool no_sign;
    bool dualstack, fips;
    const char *request_payer; /* NULL, or "requester" */
    const char *expected_bucket_owner;
    const char *sse_c_key_file; /* of the key that the objects are encrypted with; NULL: none */
    const char *ca_file;        /* NULL: the system's */
    unsigned net_threads;       /* at least 1 */
    unsigned connections;       /* most requests in flight, shared out over the net threads */
    uint64_t retry_for_ms;      /* see "How long"; 0: one try */
    uint64_t contact_ms;        /* the same as long as the store has never answered; 0: no less */
    uint64_t stall_ms;          /* see "How long"; 0: never cut */
    uint64_t bandwidth;         /* bytes per second for all together, 0: no limit */
    struct creds *creds;        /* borrowed; NULL only with no_sign */
    uint64_t seed;              /* of the retry jitter */
    int64_t version_at_ms;      /* listings show a versioned bucket as it was then; 0: as it is */
};

struct s3_client;

/*
 * How long
 *
 * An outage begins when a try fails and ends when any request of the client is answered as it
 * should be, or has brought 64 KiB of its object. A request is given up when a try of it fails and
 * retry_for_ms have passed since its own first try (or since its last that brought 64 KiB), or
 * since the outage began: so one that is made during an outage gets what is left of the time, and
 * one try at least. A try without credentials, where who gives them cannot be reached, fails too.
 *
 * One try ends by itself: name, connection and TLS are there after 10 s; what moves less than 1 KiB
 * a second over stall_ms is cut, heads included (with a limit of bandwidth: what moves nothing); a
 * head ends at 256 KiB. So the slowest body of n KiB takes n seconds. (Before libcurl 7.87 a name
 * takes as long as the resolver.) Retry-After is honoured up to 20 s.
 */

/* Starts the net threads. Fails with ERR_CONFIG (options, and what is in files they name) only;
 * touches no network. Copies the options' strings. */
int s3_client_new(const struct s3_options *options, struct s3_client **ret,
                  struct err *e) MUST_CHECK;
/* Cancels what is under way, waits for the net threads, frees. NULL is fine. */
void s3_client_free(struct s3_client *client);
/* Everything under way or submitted later ends soon with ERR_CANCELLED; with a libcurl before 7.87
 * not before a name that is being looked up is known, or is not.
 * Any thread, not a signal handler. */
void s3_client_cancel(struct s3_client *client);

/* Requests sent and tries repeated so far, and body bytes received. */
struct s3_stats {
    uint64_t requests, retries, bytes;
};
struct s3_stats s3_client_stats(struct s3_client *client);

/* Of x-amz-restore: what becomes of an object that was archived. */
enum s3_copy {
    S3_COPY_NONE,    /* nobody has asked for one, or it has expired */
    S3_COPY_ONGOING, /* it is being made: hours */
    S3_COPY_THERE,   /* the object can be read */
};

/* x-amz-archive-status: the tiers of INTELLIGENT_TIERING that cannot be read at once. */
enum s3_archive_tier {
    S3_TIER_NONE,
    S3_TIER_ARCHIVE_ACCESS,
    S3_TIER_DEEP_ARCHIVE_ACCESS,
};
/* The region that requests are signed for by now: the options', or what the bucket has said. */
enum { S3_REGION_MAX = 33 };
void s3_client_region(struct s3_client *client, char ret[S3_REGION_MAX]);

/* A small object that is to be written. A try whose answer was lost is made again while there is
 * time, and may then meet what it has written itself: see `unsure`. */
struct s3_put {
    struct slice body; /* borrowed */
    const char *content_type;
    bool only_new; /* If-None-Match: *; one that is there already stays, and is ERR_CHANGED */
    /* If-Match: only over the object with this ETag, which is told without quotes; another one
     * stays, and is ERR_CHANGED; none is ERR_NOT_FOUND. NULL: whatever is there. Borrowed. Not
     * every store heeds these two. */
    const char *if_match;
};

enum { S3_ETAG_MAX = 128 }; /* S3's have up to 38 characters; other stores make their own */

/*
 * One GET (or HEAD, POST ?restore or PUT). The first block is the caller's and must stay untouched
 * until done() has been called, which happens exactly once, on a net thread, which must not block
 * there.
 */
struct s3_get {
    const char *key;        /* raw bytes, not encoded; borrowed */
    const char *etag;       /* If-Match, as listed, without quotes; NULL or "": any */
    const char *version_id; /* as listed; NULL or "": the newest */
    uint64_t offset;        /* first byte wanted */
    uint64_t size;          /* bytes wanted, > 0 unless head; exactly so many arrive or it fails */
    uint64_t object_size;   /* as listed; offset 0 and size == object_size: no Range header */
    uint8_t *into;          /* room for `size` bytes */
    /* GET of all of an object whose size is not known: it has at most `size` bytes, and
     * content_length tells how many came; a larger one is ERR_LIMIT; offset, object_size unused. */
    bool whole;
    bool head; /* HEAD: headers only, offset and size unused */
    /* POST ?restore with this RestoreRequest: S3 begins to bring an archived object back, or does
     * so already; borrowed; offset, size and etag unused; NULL: not that. */
    const char *restore;
    /* PUT of this object in place of a GET; borrowed; offset, size and etag unused; NULL: not that.
     */
    const struct s3_put *put;
    unsigned part_number; /* HEAD ?partNumber=N (from 1); 0: none */
    bool want_checksum;   /* send x-amz-checksum-mode: ENABLED */
    void (*done)(struct s3_get *get);
    void *owner; /* the caller's */

    /* The answer, set before done(). */
    struct err err;              /* kind ERR_NONE: all bytes are there. 412: ERR_CHANGED. 404:
                                    ERR_NOT_FOUND. A body shorter or longer than promised, or
                                    another Content-Range than asked for, is retried, then
                                    ERR_CORRUPT */
    struct s3_checksum checksum; /* of the whole object, or of the part for ?partNumber; a GET
                              with a Range tells none: S3 sends the part's then, or nothing */
    bool has_local_size;
    uint64_t local_size;     /* x-amz-meta-local-size: plain bytes (priam spec 5.5) */
    uint64_t content_length; /* HEAD: of the object, or of the part for ?partNumber; or whole */
    char answer_etag[S3_ETAG_MAX]; /* of the object, without quotes; "": not told; PUT: as it is now
                                    */
    int64_t modified_ms;           /* Last-Modified, -1: not told, as with a PUT */
    int64_t date_ms;               /* Date, the store's clock, -1: not told */
    /* Of a PUT that failed: a try of it may have written the object all the same, for its answer
     * was lost or was none of a refusal. Only a look at what is there tells. */
    bool unsure;
    unsigned parts_count;              /* x-amz-mp-parts-count, 0: not told */
    enum s3_copy copy;                 /* HEAD of an archived object */
    int64_t copy_until_ms;             /* when it expires, -1: not told */
    enum s3_archive_tier archive_tier; /* HEAD */
    enum s3_encryption encryption;
    bool sse_kms; /* encrypted with a key of KMS or of the customer: the ETag is no MD5 */
    unsigned tries;

    struct s3_transfer *transfer; /* the library's, while under way */
    struct s3_get *next;          /* the library's: queue link */
};

/* Never blocks and never fails: every outcome arrives in done(). */
void s3_submit(struct s3_client *client, struct s3_get *get);

/* Submits by `submit`, which ends in s3_submit or does as that does, and waits. Returns -1 with *e
 * set when get->err is. done and owner are overwritten. */
typedef void s3_submit_fn(void *ctx, struct s3_get *get);
int s3_get_wait(s3_submit_fn *submit, void *ctx, struct s3_get *get, struct err *e) MUST_CHECK;

/* One line of a listing; borrowed, valid during the call. */
struct s3_entry {
    const char *key; /* NUL-terminated; a key with a NUL in it never gets here */
    bool is_folder;  /* a common prefix, ending in '/': the rest is unset */
    uint64_t size;
    const char *etag;          /* without quotes; "" when the store sends none */
    int64_t modified_ms;       /* -1: unreadable */
    const char *storage_class; /* "" when not told: STANDARD */
    const char *version_id;    /* "" unless versions were listed; "null" is an id, too */
    enum s3_checksum_kind checksum;
    bool checksum_composite;
};

/* 0: go on, 1: enough, -1: failed, with *e set. */
typedef int s3_entry_fn(void *ctx, const struct s3_entry *entry, struct err *e);

struct s3_list {
    const char *prefix;
    const char *start_after; /* NULL: from the beginning; only keys after this one */
    bool by_folder;          /* delimiter '/': what lies deeper is one folder entry */
};

/*
 * ListObjectsV2 with encoding-type=url; blocking. The next page is asked for before this one is
 * parsed. Entries arrive in the server's order, which for some servers is not byte order. Bounded:
 * a page of at most 16 MiB; a repeated continuation token, or 10 empty pages in a row, is
 * ERR_CORRUPT ("listing does not end"). fn runs on the calling thread.
 *
 * With version_at_ms it is ListObjectVersions, and each entry the version that was the newest one
 * at that time. Folders are named as long as they hold any version, also of what was deleted before
 * or came later. S3 knows times to the second, and those of an upload in parts from its begin.
 */
int s3_list(struct s3_client *client, const struct s3_list *list, s3_entry_fn *fn, void *ctx,
            struct err *e) MUST_CHECK;

#endif
