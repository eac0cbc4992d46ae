/*
 * list_token: where a listing's next page begins, as one text: the continuation token, or of
 * versions the next id marker, which may be "", a line end, which no id has, and the next key
 * marker. Pure.
 */
#ifndef PENATES_S3_LIST_TOKEN_H
#define PENATES_S3_LIST_TOKEN_H

#include "s3/list_xml.h"

#define LIST_URL_TOLD "<EncodingType>url</EncodingType>"

/* Printable, without blanks, and of at most LIST_VERSION_MAX bytes. */
bool list_token_is_version_id(const struct buf *text);

/* False when it does not fit. */
bool list_token_join(const struct buf *version, const struct buf *key, struct buf *ret);

/* The key marker in a token of versions; "" when it has none. */
const char *list_token_key(const char *token);

/* True when the page has the words somewhere. */
bool list_token_sees(struct slice body, const char *words);

/* A quick look ahead, so that the next page can be asked for before this one is parsed. False when
 * there is none or it is not plain to see. */
bool list_token_find(struct slice body, enum list_kind kind, struct buf *ret_token);

#endif
