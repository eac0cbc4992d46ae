#include "agent/digest_board.h"

#include "agent/base/err.h"
#include "agent/base/mem.h"
#include "agent/base/thread.h"

struct entry {
    struct hash_value value;
    struct object *data; /* asked, not told yet */
    struct object *held; /* the digest that waits for it */
    bool known;
    bool data_pending; /* expected and not done */
};

struct digest_board {
    uint32_t count; /* set once */

    /* under lock */
    pthread_mutex_t lock;
    struct entry *entries;
};

struct digest_board *digest_board_new(uint32_t sstables)
{
    struct digest_board *board = xcalloc(1, sizeof(*board));
    board->count = sstables;
    board->entries = xcalloc((size_t)sstables + 1, sizeof(*board->entries));
    mutex_init(&board->lock);
    return board;
}

void digest_board_free(struct digest_board *board)
{
    if (board != NULL) {
        mutex_done(&board->lock);
        free(board->entries);
        free(board);
    }
}

size_t digest_board_entry_size(void)
{
    return sizeof(struct entry);
}

void digest_board_expect(struct digest_board *board, uint32_t sstable)
{
    ASSERT(sstable < board->count);
    mutex_lock(&board->lock);
    board->entries[sstable].data_pending = true;
    mutex_unlock(&board->lock);
}

bool digest_board_ask(struct digest_board *board, uint32_t sstable, struct object *data,
                      struct hash_value *ret)
{
    ASSERT(sstable < board->count);
    mutex_lock(&board->lock);
    struct entry *entry = &board->entries[sstable];
    ASSERT(entry->data == NULL && entry->data_pending);
    const bool known = entry->known;
    if (known) {
        *ret = entry->value;
    } else {
        entry->data = data;
    }
    mutex_unlock(&board->lock);
    return known;
}

struct object *digest_board_publish(struct digest_board *board, uint32_t sstable,
                                    const struct hash_value *value, struct object *digest,
                                    bool *ret_held)
{
    ASSERT(sstable < board->count);
    mutex_lock(&board->lock);
    struct entry *entry = &board->entries[sstable];
    ASSERT(!entry->known);
    entry->known = true;
    entry->value = *value;
    struct object *data = entry->data;
    entry->data = NULL;
    const bool held = entry->data_pending;
    entry->held = held ? digest : NULL;
    mutex_unlock(&board->lock);
    *ret_held = held;
    return data;
}

struct object *digest_board_data_done(struct digest_board *board, uint32_t sstable)
{
    ASSERT(sstable < board->count);
    mutex_lock(&board->lock);
    struct entry *entry = &board->entries[sstable];
    ASSERT(entry->data_pending && entry->data == NULL);
    entry->data_pending = false;
    struct object *held = entry->held;
    entry->held = NULL;
    mutex_unlock(&board->lock);
    return held;
}
