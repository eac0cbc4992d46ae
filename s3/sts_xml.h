/*
 * sts_xml: STS's answer to AssumeRole and AssumeRoleWithWebIdentity, to credentials. Pure. (A
 * refusal is error_xml's.) No copy of a secret is left behind.
 */
#ifndef PENATES_S3_STS_XML_H
#define PENATES_S3_STS_XML_H

#include "s3/creds.h"

/*
 * `source` is for messages. ERR_CORRUPT when it is no such answer, is cut short, or a part is
 * missing or there twice; ERR_CONFIG when a part cannot be one of credentials. The text quotes
 * nothing of the answer.
 */
int sts_xml_credentials(struct slice body, const char *source, struct creds_value *ret,
                        struct err *e) MUST_CHECK;

#endif
