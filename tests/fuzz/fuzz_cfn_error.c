/* Any bytes as an answer of CloudFormation: a signal was taken, or there is a whole reason why not.
 */
#include <string.h>

#include "agent/base/err.h"
#include "s3/cfn_error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const long statuses[] = {200, 400, 403, 503};
    if (size == 0 || size > ERROR_XML_MAX) {
        return 0;
    }
    const struct cfn_asked asked = {
        .stack = "prod", .resource = "Nodes", .region = "eu-west-1", .is_signed = data[0] & 4};
    const long status = statuses[data[0] & 3];
    struct err e = ERR_INIT;
    if (cfn_answer_judge(&asked, status, slice_of(data + 1, size - 1), &e) == 0) {
        ASSERT(status == 200 && e.kind == ERR_NONE);
        return 0;
    }
    ASSERT(e.kind == ERR_CONFIG || e.kind == ERR_AUTH || e.kind == ERR_RETRY ||
           e.kind == ERR_NOT_FOUND);
    ASSERT(strncmp(e.text, "signalling Nodes: ", 18) == 0 && e.hint[0] != '\0');
    return 0;
}
