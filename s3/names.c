#include "s3/names.h"

#include "s3/handle.h"

void names_init(struct names *names)
{
    *names = (struct names){.lent = 0};
    for (unsigned i = 0; i < NAMES_CACHES; i++) {
        CURLSH *const cache = curl_share_init();
        ASSERT(cache != NULL); /* it fails only without memory */
        /* One thread's, so no locks are given. */
        const CURLSHcode code = curl_share_setopt(cache, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
        ASSERT(code == CURLSHE_OK);
        names->caches[i] = cache;
    }
}

void names_lend(struct names *names, CURL *easy)
{
    handle_set(curl_easy_setopt(easy, CURLOPT_SHARE, names->caches[names->lent % NAMES_CACHES]));
    names->lent++;
}

void names_done(struct names *names)
{
    for (unsigned i = 0; i < NAMES_CACHES; i++) {
        const CURLSHcode code = curl_share_cleanup(names->caches[i]);
        ASSERT(code == CURLSHE_OK);
    }
}
