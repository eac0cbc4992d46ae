/*
 * transfer_rig: a backup in memory for the tests of transfer: a plan, a source that answers on
 * threads of its own in an order drawn from a seed, and a target that keeps what is written. The
 * linker puts it in the place of source, file_sink and commit (see transfer.cmake).
 */
#ifndef PENATES_TESTS_TRANSFER_RIG_H
#define PENATES_TESTS_TRANSFER_RIG_H

#include "agent/transfer.h"

enum { RIG_FILES_MAX = 4096, RIG_UPLOAD_PARTS_MAX = 16 };

/* What one object is like, beyond its bytes; all zero is fine. */
struct rig_traits {
    enum s3_checksum_kind checksum; /* offered by answers */
    bool composite;                 /* over upload_parts */
    bool listed;                    /* and by the listing */
    bool etag_md5;                  /* the ETag is the MD5; with upload_parts the composed one */
    unsigned upload_parts;          /* parts of the upload, sizes drawn; 0: one piece */
    bool sse_kms;                   /* the ETag looks like an MD5 and is none */
    bool local_size;                /* x-amz-meta-local-size */
    bool no_plain_size;             /* the manifest says none */
    enum err_kind fail;             /* GETs of part fail_part fail so */
    uint32_t fail_part;
    enum err_kind fail_sizes; /* HEADs with ?partNumber fail so */
    bool no_sizes;            /* ?partNumber is ignored: each part is as long as the whole */
    bool flip;                /* one bit of the stored bytes is not what it was when uploaded */
    bool fail_write;          /* the disk fails in the middle of the file */
};

struct rig_file {
    struct plan_file *plan;
    struct rig_traits traits;
    struct buf stored, plain;
    uint64_t upload_sizes[RIG_UPLOAD_PARTS_MAX];
    struct s3_checksum checksum;
    /* outcome, under the rig's lock */
    uint8_t *written;
    uint64_t written_size; /* highest byte written + 1 */
    bool opened, abandoned, committed;
    unsigned reports;
    struct transfer_result result;
    unsigned gets, heads;
    bool done_before;
};

struct rig {
    struct config config;
    struct plan plan;
    struct rig_file files[RIG_FILES_MAX];
    struct source source;
    struct progress *progress;
    uint8_t *take;
    bool verify;
    uint32_t interrupt_after; /* GETs, 0: never */
    uint64_t seed;
    /* outcome */
    uint64_t budget_peak;
    unsigned in_flight_most;
    uint32_t commit_order[RIG_FILES_MAX];
    uint32_t commit_count;
    uint32_t get_order[RIG_FILES_MAX * 8];
    uint32_t get_count;
};

/* One rig at a time. 64 MiB of memory, 2 workers, 4 connections, 1 MiB parts. */
struct rig *rig_new(uint64_t seed);
void rig_free(struct rig *rig);

/* Adds "ks/t/NAME" with these plain bytes, stored as Snappy (blocks of block_size) or, with
 * block_size 0, as they are. Owns `plain`. */
struct rig_file *rig_add_file(struct rig *rig, const char *name, struct buf plain,
                              size_t block_size, const struct rig_traits *traits);
/* The last `count` files are one SSTable. */
void rig_end_sstable(struct rig *rig, uint32_t count);
/* Replaces the stored bytes, checksums and ETag included. Owns `stored`. */
void rig_set_stored(struct rig_file *file, struct buf stored);

struct buf rig_noise(size_t size, uint64_t seed);

int rig_run(struct rig *rig, struct err *e);
/* Fails the test unless every file was written whole, committed and reported once. */
void rig_assert_all_right(struct rig *rig);
/* Fails the test unless every file is either committed whole or gone. */
void rig_assert_nothing_half(struct rig *rig);

#endif
