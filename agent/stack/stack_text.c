#include "agent/stack/stack_text.h"

#include <errno.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/json_write.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char name_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
static const char id_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

enum {
    ARN_MAX = 512,  /* a name of 128, an id of 36, and what stands before */
    ARN_FIELDS = 6, /* arn : partition : cloudformation : region : account : stack/NAME/ID */
};

/* A field of letters, digits and dashes and its colon; NULL: it is none. */
static const char *skip_field(const char *at)
{
    const size_t size = strspn(at, name_alphabet);
    return size > 0 && at[size] == ':' ? at + size + 1 : NULL;
}

static bool is_arn(const char *text)
{
    static const char SERVICE[] = "cloudformation:";
    const char *at = text;
    for (unsigned field = 1; field < ARN_FIELDS && at != NULL; field++) {
        if (field == 3 && strncmp(at, SERVICE, strlen(SERVICE)) != 0) {
            return false;
        }
        at = skip_field(at);
    }
    if (at == NULL || strncmp(at, "stack/", 6) != 0) {
        return false;
    }
    const char *name = at + 6;
    const size_t size = strspn(name, name_alphabet);
    const char *id = name + size + 1;
    return size > 0 && name[size] == '/' && id[0] != '\0' &&
           strspn(id, name_alphabet) == strlen(id);
}

bool stack_text_is_stack(const char *text)
{
    const size_t size = strlen(text);
    if (strncmp(text, "arn:", 4) == 0) {
        return size <= ARN_MAX && is_arn(text);
    }
    return size > 0 && size <= STACK_NAME_MAX && strchr(letters, text[0]) != NULL &&
           strspn(text, name_alphabet) == size;
}

bool stack_text_is_resource(const char *text)
{
    const size_t size = strlen(text);
    return size > 0 && size <= STACK_RESOURCE_MAX && strspn(text, id_alphabet) == size;
}

/* No more bytes than fit, and no half of a character in UTF-8. */
static size_t cut(const char *text, size_t size_max)
{
    size_t size = strlen(text);
    if (size > size_max) {
        size = size_max;
        while (size > 0 && ((uint8_t)text[size] & 0xc0) == 0x80) {
            size--;
        }
    }
    return size;
}

char *stack_text_body(const struct stack_word *word)
{
    ASSERT(strlen(word->data) <= STACK_DATA_MAX);
    struct mem_file mem;
    struct json json = JSON_INIT(mem_file_open(&mem), false);
    json_open_object(&json, NULL);
    json_string(&json, "Status", word->success ? "SUCCESS" : "FAILURE");
    json_string(&json, "UniqueId", word->unique_id);
    json_string(&json, "Data", word->data);
    json_slice(&json, "Reason", slice_of(word->reason, cut(word->reason, STACK_REASON_MAX)));
    json_close(&json);
    json_end(&json);
    return mem_file_close(&mem);
}

static char *write_facts(const struct stack_facts *facts, const char *token)
{
    struct mem_file mem;
    struct json json = JSON_INIT(mem_file_open(&mem), false);
    json_open_object(&json, NULL);
    if (facts->has_slot) {
        json_u64(&json, "slot", facts->slot);
    }
    if (token != NULL) {
        json_string(&json, "token", token);
    }
    if (facts->snapshot_ms != 0) {
        json_time(&json, "meta", facts->snapshot_ms);
    }
    json_u64(&json, "files", facts->files);
    json_u64(&json, "bytes", facts->bytes);
    json_u64(&json, "secs", facts->ms / 1000);
    json_close(&json);
    json_end(&json);
    char *text = mem_file_close(&mem);
    text[strcspn(text, "\n")] = '\0';
    return text;
}

char *stack_text_data(const struct stack_facts *facts)
{
    char *text = write_facts(facts, facts->token);
    if (strlen(text) > STACK_NODE_DATA_MAX) {
        free(text);
        text = write_facts(facts, NULL); /* numbers and a time, which have their longest forms */
    }
    ASSERT(strlen(text) <= STACK_NODE_DATA_MAX);
    return text;
}

bool stack_text_is_final(const struct err *e)
{
    if (e->kind == ERR_REFUSED && e->sys == EBUSY) {
        return false;
    }
    switch (err_exit_code(e->kind)) {
    case 64:
    case 65:
    case 66:
    case 73:
    case 77:
    case 78:
        return true;
    default:
        return false;
    }
}
