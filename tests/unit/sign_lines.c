/*
 * sign_lines: signs the requests of stdin, see sign_case.h, so that another program can judge
 * thousands in one go. For each a line: path, query and header lines, percent-encoded, between
 * tabs.
 */
#include "s3/uri.h"
#include "tests/unit/sign_case.h"

static void sign_line(char *line, struct sigv4_key_cache *cache)
{
    struct sign_case sign;
    autobuf struct buf query = BUF_INIT(SIGN_TEXT_MAX);
    autobuf struct buf headers = BUF_INIT(SIGN_TEXT_MAX);
    autobuf struct buf text = BUF_INIT(4 * SIGN_TEXT_MAX);
    struct err e = ERR_INIT;
    sign_case_read(&sign, &line);
    const int result = sigv4_sign(&sign.request, cache, &query, &headers, &e);
    ASSERT(result == 0);
    const bool fits = uri_encode_query(buf_str(&sign.path), &text) &&
                      buf_append_char(&text, '\t') && uri_encode_query(buf_str(&query), &text) &&
                      buf_append_char(&text, '\t') && uri_encode_query(buf_str(&headers), &text);
    ASSERT(fits);
    (void)puts(buf_str(&text)); /* a lost line is missed at the other end */
    sign_case_done(&sign);
}

int main(void)
{
    struct sigv4_key_cache cache = {.date = ""};
    autofree char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        sign_line(line, &cache);
    }
    sigv4_key_cache_wipe(&cache);
    return 0;
}
