/* error_xml: the body of a failed request to S3 or STS, <Error><Code>..., to code and words. Pure.
 */
#ifndef PENATES_S3_ERROR_XML_H
#define PENATES_S3_ERROR_XML_H

#include "agent/base/buf.h"

enum { ERROR_XML_MAX = 64 * 1024 }; /* longest body worth reading; S3's have under 2 KiB */

/* "" where the body does not say; long texts are cut. */
struct error_xml {
    char code[64];
    char message[2048]; /* a denial names a role, a key of up to 1,024 bytes, and then why */
    char region[33];
    char endpoint[128]; /* of a redirect; never gone to */
};

/* False when it is not an <Error> document with a <Code>; *ret is untouched then. */
bool error_xml_parse(struct slice body, struct error_xml *ret);

#endif
