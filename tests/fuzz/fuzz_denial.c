/* Any bytes as the message of a denial: the line is bounded, and free of control characters. */
#include <string.h>

#include "s3/denial.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char message[2048];
    const size_t kept = size < sizeof(message) ? size : sizeof(message) - 1;
    memcpy(message, data, kept);
    message[kept] = '\0';
    const struct denial_asked asked = {.action = "s3:GetObject",
                                       .bucket = "b",
                                       .key = message,
                                       .region = "us-east-1",
                                       .caller = "environment"};
    struct err e = ERR_INIT;
    denial_word(&asked, "403 AccessDenied", message, &e);
    ASSERT(e.kind == ERR_AUTH && e.text[0] != '\0' && e.hint[0] != '\0');
    for (const char *c = e.text; *c != '\0'; c++) {
        ASSERT((unsigned char)*c >= 0x20 && *c != 0x7f);
    }
    struct denial denial;
    ASSERT(!denial_parse(message, &denial) || strchr(denial.action, ':') != NULL);
    return 0;
}
