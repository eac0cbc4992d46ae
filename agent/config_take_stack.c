/* config_take_stack: what a stack is, and what it is told; see config_take.h. */
#include "agent/config_take.h"

#include <string.h>

#include "agent/stack/stack_text.h"
#include "s3/wait_handle.h"

int config_take_stack(const struct config_field *field, struct config *config,
                      const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    return stack_text_is_stack(value->text)
               ? config_take_text(field, config, values, e)
               : config_bad_value(value, "is no stack", "give its name or, better, its ARN", e);
}

int config_take_resource(const struct config_field *field, struct config *config,
                         const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    return stack_text_is_resource(value->text)
               ? config_take_text(field, config, values, e)
               : config_bad_value(value, "is no logical id",
                                  "write it as in the template: letters and digits", e);
}

/* Never quoted: it is as good as a secret. */
int config_take_wait_handle(const struct config_field *field, struct config *config,
                            const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    if (!wait_handle_is_url(value->text)) {
        err_set(e, ERR_CONFIG, "%s: is no presigned URL", value->origin);
        return err_hint(e, "give what Ref of the WaitConditionHandle is, https://HOST/...?..., "
                           "all of it");
    }
    return config_take_text(field, config, values, e);
}

int config_take_data(const struct config_field *field, struct config *config,
                     const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    if (strlen(value->text) > STACK_DATA_MAX) {
        err_set(e, ERR_CONFIG, "%s: has %zu bytes", value->origin, strlen(value->text));
        return err_hint(e, "a wait condition takes up to %d", STACK_DATA_MAX);
    }
    return config_take_text(field, config, values, e);
}

int config_take_unique_id(const struct config_field *field, struct config *config,
                          const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    if (strlen(value->text) > STACK_UNIQUE_ID_MAX) {
        return config_bad_value(value, "is too long", "write up to 64 characters", e);
    }
    return config_take_id(field, config, values, e);
}
