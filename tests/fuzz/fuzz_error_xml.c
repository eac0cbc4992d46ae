/* Any bytes as an error's body: parsing ends, and what it accepts is terminated text with a code.
 */
#include <string.h>

#include "agent/base/err.h"
#include "s3/error_map.h"
#include "s3/error_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error_xml error = {.code = ""};
    if (size > ERROR_XML_MAX || !error_xml_parse(slice_of(data, size), &error)) {
        ASSERT(error.code[0] == '\0');
        return 0;
    }
    ASSERT(error.code[0] != '\0' && strlen(error.code) < sizeof(error.code));
    ASSERT(strlen(error.message) < sizeof(error.message));
    ASSERT(strlen(error.region) < sizeof(error.region));
    ASSERT(error_map_find(403, error.code, error.message)->kind != ERR_NONE);
    return 0;
}
