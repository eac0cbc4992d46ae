#include "agent/base/thread.h"
#include "s3/s3.h"

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
};

static void wake_waiter(struct s3_get *get)
{
    struct waiter *waiter = get->owner;
    mutex_lock(&waiter->lock);
    waiter->done = true;
    cond_signal(&waiter->cond); /* under the lock: the waiter is gone once it sees done */
    mutex_unlock(&waiter->lock);
}

int s3_get_wait(s3_submit_fn *submit, void *ctx, struct s3_get *get, struct err *e)
{
    struct waiter waiter = {.done = false};
    mutex_init(&waiter.lock);
    cond_init(&waiter.cond);
    get->owner = &waiter;
    get->done = wake_waiter;
    submit(ctx, get);
    mutex_lock(&waiter.lock);
    while (!waiter.done) {
        cond_wait(&waiter.cond, &waiter.lock);
    }
    mutex_unlock(&waiter.lock);
    cond_done(&waiter.cond);
    mutex_done(&waiter.lock);
    if (get->err.kind != ERR_NONE) {
        *e = get->err;
        return -1;
    }
    return 0;
}
