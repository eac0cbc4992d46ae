/*
 * repair: what to set right before a refused request is sent again: the clock, the credentials, the
 * bucket's region. The client keeps what was learned, so one refusal is enough for all requests.
 * One net thread.
 */
#ifndef PENATES_S3_REPAIR_H
#define PENATES_S3_REPAIR_H

#include "s3/request.h"

bool repair_is_for(enum verdict verdict);

/* True: ask again at once. A repair helps once: a second time it is false, and *verdict says
 * whether to ask later. *e is how the answer was worded; the hint may get better. */
bool repair_try(const struct request *request, enum verdict *verdict, struct err *e);

#endif
