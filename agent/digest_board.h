/*
 * digest_board: where a Data.db finds the digest of its SSTable, whichever of the two ends first.
 * It also holds a finished digest back until its Data.db is finished: the journal then never has a
 * digest without its data, so a rerun need not fetch a digest twice. Any thread.
 */
#ifndef PENATES_DIGEST_BOARD_H
#define PENATES_DIGEST_BOARD_H

#include "agent/hash.h"

struct object;
struct digest_board;

struct digest_board *digest_board_new(uint32_t sstables);
void digest_board_free(struct digest_board *board); /* NULL is fine */
/* Memory of one SSTable's entry, for the account of --memory. */
size_t digest_board_entry_size(void);

/* The Data.db of this SSTable will be fetched and will ask. Before either object exists. */
void digest_board_expect(struct digest_board *board, uint32_t sstable);

/* By Data.db, once. True: known, *ret is set (size 0: it cannot be used). False: it will be told by
 * whoever publishes. */
bool digest_board_ask(struct digest_board *board, uint32_t sstable, struct object *data,
                      struct hash_value *ret);

/* By the digest, once. Returns the Data.db that has to be told, or NULL. *ret_held: the digest
 * belongs to the board until Data.db is done. */
struct object *digest_board_publish(struct digest_board *board, uint32_t sstable,
                                    const struct hash_value *value, struct object *digest,
                                    bool *ret_held);

/* By Data.db when it is done. Returns the digest that was held for it, or NULL. */
struct object *digest_board_data_done(struct digest_board *board, uint32_t sstable);

#endif
