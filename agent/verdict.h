/*
 * verdict: whether the bytes of one object are what the backup says, once all of them were seen.
 */
#ifndef PENATES_VERDICT_H
#define PENATES_VERDICT_H

#include "agent/object.h"

/* Holder. Sets object->checks to what passed; what the backup does not offer is neither a failure
 * nor a pass. ERR_CORRUPT, ERR_TRUNCATED, ERR_NO_BACKUP (TOC.txt names what is not there). */
int verdict_give(struct object *object, struct err *e) MUST_CHECK;

/* Holder, when the sizes of the upload's parts are known. NULL: the stored bytes need not, or
 * cannot, be hashed in order. */
struct composer *verdict_composer(const struct object *object);

#endif
