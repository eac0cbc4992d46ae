/*
 * manifest_read: a manifest from the source, part by part, to calls that name data files of the
 * node's own backup. Holds one part and one Snappy block, whatever the manifest's size.
 */
#ifndef PENATES_MANIFEST_READ_H
#define PENATES_MANIFEST_READ_H

#include "agent/backup_key.h"
#include "agent/catalog.h"
#include "agent/manifest.h"

/* One file that the manifest names; borrowed, valid during the call. */
struct manifest_file {
    const char *whole;     /* its key in this source */
    struct backup_key key; /* of whole */
    uint64_t plain_size;   /* PLAN_SIZE_UNKNOWN when the manifest does not say */
};

/* 0: go on, -1: failed, with *e set. */
typedef int manifest_file_fn(void *ctx, const struct manifest_file *file, struct err *e);

/*
 * Blocks. ERR_CORRUPT: empty, cut, not a manifest, or stored as it claims not to be; ERR_REFUSED:
 * it names a file that is not below the node, or an unsafe name; ERR_CHANGED: replaced meanwhile;
 * or as the source or `fn` does. Every text names the manifest's key. ret_rack gets the node's
 * rack,
 * "" when the manifest does not tell; NULL: nobody wants to know.
 */
int manifest_read(const struct config *config, struct source *source,
                  const struct catalog_node *node, const struct catalog_manifest *manifest,
                  manifest_file_fn *fn, void *ctx, char ret_rack[MANIFEST_RACK_SIZE],
                  struct err *e) MUST_CHECK;

#endif
