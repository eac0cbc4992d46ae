#include "unit.h"

#include "agent/base/mem.h"
#include "agent/base/thread.h"
#include "agent/queue.h"

enum { PRODUCERS = 3, CONSUMERS = 4, ITEMS = 20000 };

struct numbered {
    struct queue_item item; /* first: cast back */
    unsigned producer, number;
};

static void test_order(void **state)
{
    (void)state;
    struct queue *queue = queue_new();
    struct queue_item items[3] = {{.kind = 0}, {.kind = 1}, {.kind = 2}};
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++) {
            queue_push(queue, &items[i]);
        }
        for (int i = 0; i < 3; i++) {
            assert_int_equal(queue_pop(queue)->kind, i);
        }
    }
    queue_push(queue, &items[0]);
    queue_close(queue);
    queue_push(queue, &items[1]); /* as a worker does that pops again */
    assert_ptr_equal(queue_pop(queue), &items[0]);
    assert_ptr_equal(queue_pop(queue), &items[1]);
    assert_null(queue_pop(queue));
    assert_null(queue_pop(queue));
    queue_free(queue);
    queue_free(NULL);
}

static struct {
    struct queue *queue;
    struct numbered *items;
    pthread_mutex_t lock;
    unsigned char *seen; /* under lock */
    unsigned disorder;   /* under lock */
} shared;

static void *produce(void *arg)
{
    const unsigned producer = *(const unsigned *)arg;
    for (unsigned i = 0; i < ITEMS; i++) {
        queue_push(shared.queue, &shared.items[producer * ITEMS + i].item);
    }
    return NULL;
}

static void *consume(void *arg)
{
    (void)arg;
    unsigned next[PRODUCERS] = {0};
    struct queue_item *item = queue_pop(shared.queue);
    while (item != NULL) {
        const struct numbered *numbered = (const struct numbered *)item;
        mutex_lock(&shared.lock);
        shared.seen[numbered->producer * ITEMS + numbered->number]++;
        shared.disorder += numbered->number < next[numbered->producer] ? 1 : 0;
        mutex_unlock(&shared.lock);
        next[numbered->producer] = numbered->number + 1;
        item = queue_pop(shared.queue);
    }
    return NULL;
}

/* Every item comes out once, and one producer's in its order at each consumer. */
static void test_threads(void **state)
{
    (void)state;
    shared.queue = queue_new();
    shared.items = xcalloc(PRODUCERS * ITEMS, sizeof(*shared.items));
    shared.seen = xcalloc(PRODUCERS * ITEMS, 1);
    mutex_init(&shared.lock);
    pthread_t consumers[CONSUMERS];
    pthread_t producers[PRODUCERS];
    unsigned numbers[PRODUCERS];
    for (unsigned i = 0; i < PRODUCERS * ITEMS; i++) {
        shared.items[i].producer = i / ITEMS;
        shared.items[i].number = i % ITEMS;
    }
    for (unsigned i = 0; i < CONSUMERS; i++) {
        consumers[i] = thread_start(consume, NULL, "consumer");
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        numbers[i] = i;
        producers[i] = thread_start(produce, &numbers[i], "producer");
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        thread_join(producers[i]);
    }
    queue_close(shared.queue);
    for (unsigned i = 0; i < CONSUMERS; i++) {
        thread_join(consumers[i]);
    }
    for (unsigned i = 0; i < PRODUCERS * ITEMS; i++) {
        assert_int_equal(shared.seen[i], 1);
    }
    assert_int_equal(shared.disorder, 0);
    mutex_done(&shared.lock);
    queue_free(shared.queue);
    free(shared.items);
    free(shared.seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
