#include "s3/service_error.h"

#include <string.h>

#define SET_THE_CLOCK "set the clock right: chronyc makestep"
#define TRY_LATER "try again later"

static const struct service_refusal common[] = {
    {"AccessDenied", NULL, ERR_AUTH, "not allowed", SERVICE_NEXT_RIGHT, NULL},
    {"AccessDeniedException", NULL, ERR_AUTH, "not allowed", SERVICE_NEXT_RIGHT, NULL},
    {"ExpiredToken", NULL, ERR_AUTH, "the session has ended", SERVICE_NEXT_KEYS, NULL},
    {"InvalidClientTokenId", NULL, ERR_AUTH, "the access key is not known", SERVICE_NEXT_KEYS,
     NULL},
    {"UnrecognizedClientException", NULL, ERR_AUTH, "the access key is not known",
     SERVICE_NEXT_KEYS, NULL},
    {"SignatureDoesNotMatch", "Signature expired", ERR_AUTH, "the clock is wrong",
     SERVICE_NEXT_TEXT, SET_THE_CLOCK},
    {"SignatureDoesNotMatch", "Signature not yet current", ERR_AUTH, "the clock is wrong",
     SERVICE_NEXT_TEXT, SET_THE_CLOCK},
    {"RequestExpired", NULL, ERR_AUTH, "the clock is wrong", SERVICE_NEXT_TEXT, SET_THE_CLOCK},
    {"SignatureDoesNotMatch", NULL, ERR_AUTH, "the secret access key is wrong", SERVICE_NEXT_KEYS,
     NULL},
    {"IncompleteSignature", NULL, ERR_AUTH, "the signature is not understood", SERVICE_NEXT_KEYS,
     NULL},
    {"MissingAuthenticationToken", NULL, ERR_AUTH, "the signature is missing", SERVICE_NEXT_TEXT,
     "look for a proxy that takes headers away"},
    {"Throttling", NULL, ERR_RETRY, "too many requests", SERVICE_NEXT_TEXT, TRY_LATER},
    {"ThrottlingException", NULL, ERR_RETRY, "too many requests", SERVICE_NEXT_TEXT, TRY_LATER},
    {"RequestLimitExceeded", NULL, ERR_RETRY, "too many requests", SERVICE_NEXT_TEXT, TRY_LATER},
    {"InternalFailure", NULL, ERR_RETRY, NULL, SERVICE_NEXT_TEXT, TRY_LATER},
    {"ServiceUnavailable", NULL, ERR_RETRY, NULL, SERVICE_NEXT_TEXT, TRY_LATER},
};
static const struct service_refusal trouble = {"",       NULL, ERR_RETRY, NULL, SERVICE_NEXT_TEXT,
                                               TRY_LATER};

static const struct service_refusal *find_in(const struct service_refusal *rows, size_t count,
                                             const struct error_xml *error)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].code, error->code) == 0 &&
            (rows[i].message == NULL || strstr(error->message, rows[i].message) != NULL)) {
            return &rows[i];
        }
    }
    return NULL;
}

const struct service_refusal *service_error_find(const struct service_errors *errors, long status,
                                                 const struct error_xml *error)
{
    const struct service_refusal *row = NULL;
    if (error != NULL) {
        row = find_in(errors->own, errors->own_count, error);
        row = row != NULL ? row : find_in(common, ARRAY_SIZE(common), error);
    }
    if (row != NULL) {
        return row;
    }
    return status >= 500 || status == 429 ? &trouble : &errors->unknown;
}

void service_error_word(const struct service_errors *errors, const struct service_refusal *row,
                        const char *what, long status, const struct error_xml *error, struct err *e)
{
    const bool in_trouble = row->why == NULL;
    const char *who = in_trouble ? errors->title : "";
    const char *why = in_trouble ? " is in trouble" : row->why;
    if (error == NULL) {
        (void)err_set(e, row->kind, "%s: %s%s: HTTP %ld without an error document", what, who, why,
                      status);
    } else {
        (void)err_set(e, row->kind, "%s: %s%s: %s%s%.300s", what, who, why, error->code,
                      error->message[0] == '\0' ? "" : ": ", error->message);
    }
    e->http = (int)status;
}
