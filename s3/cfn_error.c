#include "s3/cfn_error.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/err.h"
#include "s3/xml.h"

enum next {
    NEXT_TEXT,    /* the row's own hint */
    NEXT_RIGHT,   /* who sends it must be allowed to */
    NEXT_KEYS,    /* the credentials are not good */
    NEXT_NOTHING, /* nobody has to do anything */
};

/* CloudFormation API reference: SignalResource, "Common errors"; the texts of ValidationError are
 * those that operators report. */
struct row {
    const char *code;
    const char *message; /* a part of it; NULL: any */
    enum err_kind kind;
    const char *why;
    enum next next;
    const char *hint;
};

static const struct row rows[] = {
    {"ValidationError", "be signaled", ERR_NOT_FOUND, "it is not waited for any more", NEXT_NOTHING,
     NULL},
    {"ValidationError", "does not exist", ERR_CONFIG, "there is no such stack or resource",
     NEXT_TEXT, "check --stack, which an ARN makes sure, and --stack-resource"},
    {"ValidationError", NULL, ERR_CONFIG, "the request is not accepted", NEXT_TEXT,
     "check --stack, --stack-resource and --unique-id"},
    {"AccessDenied", NULL, ERR_AUTH, "not allowed", NEXT_RIGHT, NULL},
    {"AccessDeniedException", NULL, ERR_AUTH, "not allowed", NEXT_RIGHT, NULL},
    {"NotAuthorized", NULL, ERR_AUTH, "not allowed", NEXT_RIGHT, NULL},
    {"ExpiredToken", NULL, ERR_AUTH, "the session has ended", NEXT_KEYS, NULL},
    {"InvalidClientTokenId", NULL, ERR_AUTH, "the access key is not known", NEXT_KEYS, NULL},
    {"UnrecognizedClientException", NULL, ERR_AUTH, "the access key is not known", NEXT_KEYS, NULL},
    {"SignatureDoesNotMatch", "Signature expired", ERR_AUTH, "the clock is wrong", NEXT_TEXT,
     "set the clock right: chronyc makestep"},
    {"SignatureDoesNotMatch", "Signature not yet current", ERR_AUTH, "the clock is wrong",
     NEXT_TEXT, "set the clock right: chronyc makestep"},
    {"RequestExpired", NULL, ERR_AUTH, "the clock is wrong", NEXT_TEXT,
     "set the clock right: chronyc makestep"},
    {"SignatureDoesNotMatch", NULL, ERR_AUTH, "the secret access key is wrong", NEXT_KEYS, NULL},
    {"IncompleteSignature", NULL, ERR_AUTH, "the signature is not understood", NEXT_KEYS, NULL},
    {"MissingAuthenticationToken", NULL, ERR_AUTH, "the signature is missing", NEXT_TEXT,
     "look for a proxy that takes headers away"},
    {"OptInRequired", NULL, ERR_CONFIG, "the account does not use this region", NEXT_TEXT,
     "name the stack by its ARN"},
    {"Throttling", NULL, ERR_RETRY, "too many requests", NEXT_TEXT, "try again later"},
    {"ThrottlingException", NULL, ERR_RETRY, "too many requests", NEXT_TEXT, "try again later"},
    {"RequestLimitExceeded", NULL, ERR_RETRY, "too many requests", NEXT_TEXT, "try again later"},
    {"InternalFailure", NULL, ERR_RETRY, "CloudFormation is in trouble", NEXT_TEXT,
     "try again later"},
    {"ServiceUnavailable", NULL, ERR_RETRY, "CloudFormation is in trouble", NEXT_TEXT,
     "try again later"},
};
static const struct row server_trouble = {
    "", NULL, ERR_RETRY, "CloudFormation is in trouble", NEXT_TEXT, "try again later"};
static const struct row unknown = {"",
                                   NULL,
                                   ERR_AUTH,
                                   "refused",
                                   NEXT_TEXT,
                                   "look up the code in the CloudFormation API "
                                   "reference, or for a proxy in between"};

static const struct row *find_row(long status, const struct error_xml *error)
{
    for (size_t i = 0; error != NULL && i < ARRAY_SIZE(rows); i++) {
        if (strcmp(rows[i].code, error->code) == 0 &&
            (rows[i].message == NULL || strstr(error->message, rows[i].message) != NULL)) {
            return &rows[i];
        }
    }
    return status >= 500 || status == 429 ? &server_trouble : &unknown;
}

static int hint_next(const struct row *row, const struct cfn_asked *asked, struct err *e)
{
    switch (row->next) {
    case NEXT_TEXT:
        return err_hint(e, "%s", row->hint);
    case NEXT_RIGHT:
        return err_hint(e, asked->is_signed
                               ? "allow cloudformation:SignalResource on the stack, as penates "
                                 "policy --stack ARN --signal-auth sigv4 prints it"
                               : "the instance has to be one of the stack; for another use "
                                 "--signal-auth sigv4");
    case NEXT_KEYS:
        return err_hint(e, asked->is_signed ? "renew the credentials"
                                            : "the identity that the instance's metadata gives "
                                              "is not accepted; try --signal-auth sigv4");
    case NEXT_NOTHING:
        return err_hint(e, "nothing has to be done: the stack has gone on, or was changed since");
    }
    return -1;
}

/* Only the line with the words: further down there may be what was sent. */
static void cut_message(struct error_xml *error)
{
    error->message[strcspn(error->message, "\r\n")] = '\0';
}

static int word_refusal(const struct cfn_asked *asked, long status, struct slice body,
                        struct err *e)
{
    struct error_xml error;
    const bool has_error = error_xml_parse(body, &error);
    const struct row *row = find_row(status, has_error ? &error : NULL);
    if (!has_error) {
        (void)err_set(e, row->kind, "signalling %.100s: %s: HTTP %ld without an error document",
                      asked->resource, row->why, status);
    } else {
        cut_message(&error);
        (void)err_set(e, row->kind, "signalling %.100s: %s: %s%s%.300s", asked->resource, row->why,
                      error.code, error.message[0] == '\0' ? "" : ": ", error.message);
    }
    e->http = (int)status;
    return hint_next(row, asked, e);
}

static void on_begin(void *ctx, const char *name, unsigned depth)
{
    if (depth == 0) {
        *(bool *)ctx = strcmp(name, "SignalResourceResponse") == 0;
    }
}

static int on_end(void *ctx, const char *name, unsigned depth, const struct buf *text,
                  struct err *e)
{
    (void)ctx;
    (void)name;
    (void)depth;
    (void)text;
    (void)e;
    return 0;
}

/* A portal answers 200 to anything. */
static bool is_taken(struct slice body)
{
    static const struct xml_events EVENTS = {.begin = on_begin, .end = on_end};
    bool is_response = false;
    struct err why = ERR_INIT;
    return xml_walk(body, &EVENTS, &is_response, &why) == 0 && is_response;
}

int cfn_answer_judge(const struct cfn_asked *asked, long status, struct slice body, struct err *e)
{
    ASSERT(asked->resource != NULL && body.size <= ERROR_XML_MAX);
    if (status != 200) {
        return word_refusal(asked, status, body, e);
    }
    if (is_taken(body)) {
        return 0;
    }
    (void)err_set(e, ERR_CONFIG, "signalling %.100s: who answers is not CloudFormation",
                  asked->resource);
    return err_hint(e, "look at the endpoint, and for a proxy or a portal in between");
}
