/*
 * compose: what one try sends: path, query, headers and, last, the signature over exactly those.
 * One net thread.
 */
#ifndef PENATES_S3_COMPOSE_H
#define PENATES_S3_COMPOSE_H

#include "s3/request.h"

/* Fills what the request sends and what it wants for an answer, from its get. ERR_AUTH: no
 * credentials; ERR_LIMIT: a key, prefix or ETag that cannot be sent. */
int compose_request(struct request *request, struct sigv4_key_cache *cache,
                    struct err *e) MUST_CHECK;

#endif
