/*
 * ring_tree: a small JSON document as a tree, for what the ring's own objects are read from. They
 * come from a bucket, so the depth is looked at before the tree is built: the library frees it by
 * recursion.
 */
#ifndef PENATES_RING_RING_TREE_H
#define PENATES_RING_RING_TREE_H

#include <yajl/yajl_tree.h>

#include "agent/base/buf.h"

/* NULL: not JSON, too deep, or a NUL in it. yajl_tree_free frees. */
yajl_val ring_tree_parse(struct slice text);

/* A member of an object; NULL: there is none of this kind. A time is -1 then, a number false. */
yajl_val ring_tree_array(yajl_val object, const char *name);
yajl_val ring_tree_object(yajl_val object, const char *name);
const char *ring_tree_text(yajl_val object, const char *name);
bool ring_tree_u64(yajl_val object, const char *name, uint64_t *ret);
int64_t ring_tree_time(yajl_val object, const char *name);

void ring_tree_cleanup(yajl_val *tree);
#define autotree __attribute__((cleanup(ring_tree_cleanup)))

#endif
