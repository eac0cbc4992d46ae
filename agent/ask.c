#include "agent/ask.h"

#include "agent/base/mem.h"
#include "agent/base/thread.h"

struct asking;

struct slot {
    struct asking *asking;
    struct s3_get get;
    struct buf key;
    size_t index;
    struct slot *next; /* of those answered, or of those free */
};

struct asking {
    /* set once */
    const struct ask *ask;

    /* the calling thread's */
    struct slot *free;
    size_t next; /* index to ask about */
    size_t in_flight;
    struct err err; /* the first failure */

    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct slot *answered;
};

static void on_answer(struct s3_get *get)
{
    struct slot *slot = (struct slot *)get->owner;
    struct asking *asking = slot->asking;
    mutex_lock(&asking->lock);
    slot->next = asking->answered;
    asking->answered = slot;
    cond_signal(&asking->changed); /* under the lock: it is gone once all answers are taken */
    mutex_unlock(&asking->lock);
}

/* All answers that are there, at least one. */
static struct slot *wait_answers(struct asking *asking)
{
    ASSERT(asking->in_flight > 0);
    mutex_lock(&asking->lock);
    while (asking->answered == NULL) {
        cond_wait(&asking->changed, &asking->lock);
    }
    struct slot *slots = asking->answered;
    asking->answered = NULL;
    mutex_unlock(&asking->lock);
    return slots;
}

static void begin(struct asking *asking)
{
    const struct ask *ask = asking->ask;
    struct slot *slot = asking->free;
    ASSERT(slot != NULL && asking->next < ask->count);
    slot->index = asking->next++;
    slot->get = (struct s3_get){0};
    buf_clear(&slot->key);
    if (!ask->fill(ask->ctx, slot->index, &slot->key, &slot->get)) {
        return;
    }
    ASSERT(!slot->key.overflowed && (slot->get.head || slot->get.restore != NULL));
    asking->free = slot->next;
    asking->in_flight++;
    slot->get.key = buf_str(&slot->key);
    slot->get.done = on_answer;
    slot->get.owner = slot;
    source_get(ask->source, &slot->get);
}

static void take(struct asking *asking, struct slot *slot)
{
    const struct s3_get *get = &slot->get;
    if (get->err.kind == ERR_NONE) {
        asking->ask->take(asking->ask->ctx, slot->index, get);
    } else if (asking->err.kind == ERR_NONE) {
        asking->err = get->err;
    }
    asking->in_flight--;
    slot->next = asking->free;
    asking->free = slot;
}

static void take_answers(struct asking *asking)
{
    for (struct slot *slot = wait_answers(asking), *next; slot != NULL; slot = next) {
        next = slot->next;
        take(asking, slot);
    }
}

static void run(struct asking *asking)
{
    while (asking->next < asking->ask->count && asking->err.kind == ERR_NONE) {
        if (asking->free != NULL) {
            begin(asking);
        } else {
            take_answers(asking);
        }
    }
    while (asking->in_flight > 0) {
        take_answers(asking);
    }
}

int ask_all(const struct ask *ask, struct err *e)
{
    ASSERT(ask->fill != NULL && ask->take != NULL && ask->connections > 0);
    const size_t count = ask->count < ask->connections ? ask->count : ask->connections;
    struct asking asking = {.ask = ask, .err = ERR_INIT};
    autofree struct slot *slots = (struct slot *)xcalloc(count, sizeof(*slots));
    for (size_t i = 0; i < count; i++) {
        slots[i].asking = &asking;
        slots[i].key = BUF_INIT(ASK_KEY_SIZE_MAX);
        slots[i].next = asking.free;
        asking.free = &slots[i];
    }
    mutex_init(&asking.lock);
    cond_init(&asking.changed);
    run(&asking);
    cond_done(&asking.changed);
    mutex_done(&asking.lock);
    for (size_t i = 0; i < count; i++) {
        buf_done(&slots[i].key);
    }
    if (asking.err.kind != ERR_NONE) {
        *e = asking.err;
        return -1;
    }
    return 0;
}
