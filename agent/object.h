/*
 * object: one object on its way to one file.
 *
 *     net thread: part arrived ─▶ in order? cut ─▶ queue ─▶ worker: sum, decode, write (any order)
 *                                                              └─▶ retire (in order) ─▶ verdict
 *
 * Parts may arrive and be decoded in any order. Twice they come back in order: when they are cut,
 * under the object's lock (95 us for 8 MiB), and when they retire, on one worker at a time, the one
 * that holds the object. There the sums are combined and what must be hashed in order is. After the
 * last part, and when what it has to be compared with is there, the holder gives the verdict and
 * hands the file to commit. Only the functions marked so are called from net threads; they do not
 * block.
 */
#ifndef PENATES_OBJECT_H
#define PENATES_OBJECT_H

#include "agent/check.h"
#include "agent/run.h"

enum object_state {
    OBJECT_FETCHING,      /* parts have still to arrive, to be decoded or to retire */
    OBJECT_AWAITS_HEADS,  /* all parts retired; a HEAD has still to bring what they compare with */
    OBJECT_AWAITS_DIGEST, /* likewise; the digest of the SSTable has still to be finished */
    OBJECT_FINISHING,     /* its holder gives the verdict */
};

const char *object_state_name(enum object_state state);

/* What a queue_item is embedded in. */
enum object_item { OBJECT_ITEM_PART, OBJECT_ITEM_OBJECT };

struct part {
    struct queue_item item; /* first: an item of kind OBJECT_ITEM_PART is cast back */

    /* set once */
    struct object *object;
    uint32_t index;
    size_t size;

    /* whoever has the part: net thread, object, worker */
    struct part *next;
    struct budget_block block; /* empty once nothing needs the stored bytes any more */
    struct s3_get get;
    struct chunk chunk;
    uint64_t stored_sum, plain_sum;
    uint64_t plain_size; /* of the chunk, which is gone once decoded */
};

struct object {
    struct queue_item item; /* first, as above */

    /* set once */
    struct run *run;
    const struct plan_file *file;
    uint32_t file_index;
    uint32_t part_count;
    uint32_t lane;   /* SCHEDULE_NO_LANE: small, and no memory reserved for carried blocks */
    bool bytes_only; /* NEED_BYTES_ONLY: neither written nor reported */
    bool keeps_text; /* Digest.* and TOC.txt: the plain bytes are looked at */
    char *key;
    struct check_facts facts;
    unsigned sizes_count; /* HEADs for sizes that are sent */

    /* under run->lock */
    struct object *live_prev, *live_next;

    /* under lock; choice, codec, has_local_size and plain_size are constant once part 0 was cut */
    pthread_mutex_t lock;
    enum object_state state;
    struct check_choice choice;
    const struct codec *codec;
    struct framer *framer;
    bool has_local_size;
    uint64_t local_size;
    uint64_t plain_size;  /* decoded bytes, once the last part was cut */
    struct part *arrived; /* not cut yet, by index */
    uint32_t cut_next;
    bool opened;           /* the file is open: parts after the first may be cut */
    size_t carried;        /* bytes of carried blocks in chunks under way */
    struct part *retiring; /* decoded, not retired yet, by index */
    uint32_t retire_next;
    bool held; /* a worker is at it */
    unsigned heads_missing;
    struct s3_checksum head_checksum; /* constant, as the sizes, once heads_missing is 0 */
    uint64_t *upload_sizes;           /* of the upload's parts, 0: not told */
    bool digest_known;
    struct hash_value digest;

    /* the holder; sink: set by the worker of part 0 before the others are cut */
    struct file_sink *sink;
    struct buf text;
    struct composer *composer;
    struct hash *plain_hash;
    uint64_t stored_sum, plain_sum;
    unsigned checks; /* passed, enum check bits */
};

/* Dispatcher. Memory for carried blocks of a large object is reserved already and becomes the
 * object's. The object ends by itself; until then it is in run->live. */
struct object *object_new(struct run *run, const struct schedule_part *first, bool bytes_only);
/* Only for an object that no request and no queue refers to any more. */
void object_free(struct object *object);

/* Dispatcher, in this order, a slot taken for each: HEADs that the object needs, then its parts.
 * The block becomes the part's. */
unsigned object_heads(const struct object *object);
void object_send_head(struct object *object, unsigned index);
void object_send_part(struct object *object, uint32_t index, const struct budget_block *block);
/* Dispatcher: an object of no parts goes to the workers. */
void object_send_empty(struct object *object);

/* Worker: the file is open. Later parts may be cut from now on. */
void object_opened(struct object *object);
/* Worker: the chunk was decoded; its carried block, if any, is freed. */
void object_chunk_decoded(struct part *part);
/* Worker: gives the stored bytes back to the budget. */
void object_release_bytes(struct part *part);
void object_part_free(struct part *part);
/* Into a list that is sorted by index. */
void object_insert_part(struct part **list, struct part *part);

/* Any thread but the holder: the digest of the SSTable, size 0 when it cannot be used. */
void object_digest_arrived(struct object *object, const struct hash_value *digest);

/* Worker, after decoding: queues the part to retire. True: the worker holds the object now. */
bool object_retire_later(struct part *part);
/* Holder: the next part in order; NULL when there is none yet. *ret_done: the object is complete
 * and stays held; else the hold has ended with the NULL. */
struct part *object_next_retiring(struct object *object, bool *ret_done);

/* Words what a codec found. */
int object_codec_error(const struct object *object, enum codec_status status,
                       struct err *e) MUST_CHECK;

/* Puts "restore KS/TABLE/FILE from KEY" before the text, says what to do about an object that is no
 * longer what was listed, and stops the run. */
void object_fail(struct object *object, struct err *e);

/* True when the plain bytes have to be decoded in order. Constant once part 0 was cut. */
static inline bool object_decodes_in_order(const struct object *object)
{
    return object->choice.plain == HASH_SHA1;
}

#endif
