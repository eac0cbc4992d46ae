/*
 * cfn_error: whether CloudFormation took a signal, and if not, who must change what. Pure.
 */
#ifndef PENATES_S3_CFN_ERROR_H
#define PENATES_S3_CFN_ERROR_H

#include "s3/error_xml.h"

struct err;

/* What was asked. All borrowed. */
struct cfn_asked {
    const char *stack, *resource, *region;
    bool is_signed; /* by credentials, not by the instance's identity */
};

/* 0: the signal was taken. Kinds as cfn_send tells. At most ERROR_XML_MAX bytes. */
int cfn_answer_judge(const struct cfn_asked *asked, long status, struct slice body, struct err *e)
    __attribute__((warn_unused_result));

#endif
