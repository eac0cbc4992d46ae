#include "s3/cfn_error.h"

#include <string.h>

#include "agent/base/mem.h"
#include "s3/service_error.h"
#include "s3/xml.h"

enum { NEXT_NOTHING = SERVICE_NEXT_OWN }; /* nobody has to do anything */

/* CloudFormation API reference: SignalResource; the texts of ValidationError are those that
 * operators report. */
static const struct service_refusal own[] = {
    {"ValidationError", "be signaled", ERR_NOT_FOUND, "it is not waited for any more", NEXT_NOTHING,
     NULL},
    {"ValidationError", "does not exist", ERR_CONFIG, "there is no such stack or resource",
     SERVICE_NEXT_TEXT, "check --stack, which an ARN makes sure, and --stack-resource"},
    {"ValidationError", NULL, ERR_CONFIG, "the request is not accepted", SERVICE_NEXT_TEXT,
     "check --stack, --stack-resource and --unique-id"},
    {"NotAuthorized", NULL, ERR_AUTH, "not allowed", SERVICE_NEXT_RIGHT, NULL},
    {"OptInRequired", NULL, ERR_CONFIG, "the account does not use this region", SERVICE_NEXT_TEXT,
     "name the stack by its ARN"},
};
static const struct service_errors errors = {
    .title = "CloudFormation",
    .own = own,
    .own_count = ARRAY_SIZE(own),
    .unknown = {"", NULL, ERR_AUTH, "refused", SERVICE_NEXT_TEXT,
                "look up the code in the CloudFormation API reference, or for a proxy in between"},
};

static int hint_next(const struct service_refusal *row, const struct cfn_asked *asked,
                     struct err *e)
{
    switch (row->next) {
    case SERVICE_NEXT_RIGHT:
        return err_hint(e, asked->is_signed
                               ? "allow cloudformation:SignalResource on the stack, as penates "
                                 "policy --stack ARN --signal-auth sigv4 prints it"
                               : "the instance has to be one of the stack; for another use "
                                 "--signal-auth sigv4");
    case SERVICE_NEXT_KEYS:
        return err_hint(e, asked->is_signed ? "renew the credentials"
                                            : "the identity that the instance's metadata gives "
                                              "is not accepted; try --signal-auth sigv4");
    case NEXT_NOTHING:
        return err_hint(e, "nothing has to be done: the stack has gone on, or was changed since");
    default:
        ASSERT(row->next == SERVICE_NEXT_TEXT);
        return err_hint(e, "%s", row->hint);
    }
}

/* Only the line with the words: further down there may be what was sent. */
static void cut_message(struct error_xml *error)
{
    error->message[strcspn(error->message, "\r\n")] = '\0';
}

static int word_refusal(const struct cfn_asked *asked, long status, struct slice body,
                        struct err *e)
{
    struct error_xml document;
    struct error_xml *const error = error_xml_parse(body, &document) ? &document : NULL;
    const struct service_refusal *row = service_error_find(&errors, status, error);
    autofree char *what = xasprintf("signalling %.100s", asked->resource);
    if (error != NULL) {
        cut_message(error);
    }
    service_error_word(&errors, row, what, status, error, e);
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
