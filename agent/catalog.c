#include "agent/catalog.h"

#include "agent/base/mem.h"
#include "agent/catalog_search.h"
#include "agent/folder_list.h"

/* Of folders or clusters named in one message, and of folders searched for a backup that lies a
 * level lower than it was looked for. */
enum { NAMED_MAX = 8 };

/* What fits a message with the rest of it. */
enum { WORDS_MAX = 300 };

void catalog_free(struct catalog *catalog)
{
    if (catalog == NULL) {
        return;
    }
    arena_free(catalog->strings);
    free(catalog->nodes);
    free(catalog);
}

/* True when a search without cluster, region and dialect finds something below the base; `words`
 * then names the clusters. Any failure counts as nothing: this is for a hint only. */
static bool describe_clusters(struct source *source, const char *base, struct buf *words)
{
    const struct selection any = {.format = DIALECT_AUTO};
    struct catalog *catalog;
    struct err ignored = ERR_INIT;
    if (catalog_search(&any, source, base, &catalog, &ignored) != 0) {
        return false;
    }
    buf_clear(words);
    const char *last = "";
    for (size_t i = 0; i < catalog->count; i++) {
        const struct catalog_node *node = &catalog->nodes[i];
        if (strcmp(node->cluster, last) != 0) {
            /* What does not fit the message is left out of it. */
            (void)buf_appendf(words, "%s'%s' (%s%s)", words->size == 0 ? "" : ", ", node->cluster,
                              node->v2 ? "v2" : "v1 in ", node->region);
            last = node->cluster;
        }
    }
    const bool found = catalog->count > 0;
    catalog_free(catalog);
    return found;
}

/* Looks behind one more slash, one level lower, and then in each level above, for a base that has a
 * backup. */
static bool find_better_base(struct source *source, const struct folder_list *folders,
                             struct buf *words, char **ret_name)
{
    /* Old Priam kept the last slash of a base, and put its own behind it (priam spec 1.1). */
    autofree char *doubled = xasprintf("%s/", source->base);
    if (describe_clusters(source, doubled, words)) {
        *ret_name = xasprintf("%s//", source->name);
        return true;
    }
    for (size_t i = 0; i < folders->count && i < NAMED_MAX; i++) {
        autofree char *base = xasprintf("%s%s/", source->base, folders->names[i]);
        if (describe_clusters(source, base, words)) {
            *ret_name = xasprintf("%s/%s", source->name, folders->names[i]);
            return true;
        }
    }
    autofree char *base = xstrdup(source->base);
    autofree char *name = xstrdup(source->name);
    while (base[0] != '\0') {
        base[strlen(base) - 1] = '\0';
        char *slash = strrchr(base, '/');
        *(slash == NULL ? base : slash + 1) = '\0';
        *strrchr(name, '/') = '\0'; /* names of bases are "s3://BUCKET/BASE" */
        if (describe_clusters(source, base, words)) {
            *ret_name = TAKE_PTR(name);
            return true;
        }
    }
    return false;
}

static void name_folders(const struct folder_list *folders, struct buf *words)
{
    buf_clear(words);
    for (size_t i = 0; i < folders->count && i < NAMED_MAX; i++) {
        (void)buf_appendf(words, "%s'%s'", i == 0 ? "" : ", ", folders->names[i]);
    }
    if (folders->count > NAMED_MAX) {
        (void)buf_appendf(words, " and %zu more", folders->count - NAMED_MAX);
    }
}

/* The least policy allows the listings that the selection takes, which were empty, and no other. */
static int set_nothing_allowed(const struct source *source, const char *wanted,
                               const struct err *denial, struct err *e)
{
    if (denial->kind != ERR_AUTH || denial->http != 403) {
        *e = *denial;
        return -1;
    }
    (void)err_set(e, ERR_NO_BACKUP, "%s: %s; what else is there may not be listed", source->name,
                  wanted);
    return err_hint(e, "check SOURCE, --cluster, --source-region and --format");
}

/* Says what was looked for, what is there instead, and where to look. */
static int set_nothing_found(const struct selection *selection, struct source *source,
                             struct err *e)
{
    static const char *const DIALECTS[] = {
        [DIALECT_AUTO] = "", [DIALECT_V1] = " of form v1", [DIALECT_V2] = " of form v2"};
    autobuf struct buf wanted = BUF_INIT(WORDS_MAX);
    (void)buf_appendf(&wanted, "no Priam backup%s", DIALECTS[selection->format]);
    if (selection->cluster != NULL) {
        (void)buf_appendf(&wanted, " of cluster '%s'", selection->cluster);
    }
    if (selection->source_region != NULL) {
        (void)buf_appendf(&wanted, " in region '%s'", selection->source_region);
    }
    autobuf struct buf there = BUF_INIT(WORDS_MAX);
    if (describe_clusters(source, source->base, &there)) {
        (void)err_set(e, ERR_NO_BACKUP, "%s: %s; there is %s", source->name, buf_str(&wanted),
                      buf_str(&there));
        return err_hint(e, "choose with --cluster, --source-region and --format");
    }
    struct folder_list folders = {0};
    struct err denial = ERR_INIT;
    if (folder_list_read(&folders, source, source->base, &denial) != 0) {
        folder_list_done(&folders);
        return set_nothing_allowed(source, buf_str(&wanted), &denial, e);
    }
    char *better = NULL;
    if (find_better_base(source, &folders, &there, &better)) {
        (void)err_set(e, ERR_NO_BACKUP, "%s: %s; but below %s there is %s", source->name,
                      buf_str(&wanted), better, buf_str(&there));
        (void)err_hint(e, "give %s as SOURCE", better);
        free(better);
    } else {
        name_folders(&folders, &there);
        (void)err_set(e, ERR_NO_BACKUP, "%s: %s; %s%s", source->name, buf_str(&wanted),
                      folders.count == 0 ? "there are no folders" : "the folders there are ",
                      buf_str(&there));
        (void)err_hint(e, "give the folder whose children are regions or HASH_CLUSTER as SOURCE");
    }
    folder_list_done(&folders);
    return -1;
}

int catalog_find_nodes(const struct selection *selection, struct source *source,
                       struct catalog **ret, struct err *e)
{
    ASSERT(selection != NULL && source->base != NULL && source->name != NULL);
    struct catalog *catalog;
    if (catalog_search(selection, source, source->base, &catalog, e) != 0) {
        return -1;
    }
    if (catalog->count == 0) {
        catalog_free(catalog);
        return set_nothing_found(selection, source, e);
    }
    *ret = catalog;
    return 0;
}

/* The node's own part of its prefix: REGION/CLUSTER/TOKEN/ or HASH_CLUSTER/TOKEN/. */
static const char *own_folders(const struct catalog_node *node)
{
    size_t start = strlen(node->prefix);
    for (int folders = node->v2 ? 2 : 3; folders > 0; folders--) {
        ASSERT(start > 1 && node->prefix[start - 1] == '/');
        start--;
        while (start > 0 && node->prefix[start - 1] != '/') {
            start--;
        }
    }
    return node->prefix + start;
}

bool catalog_rebase_key(const struct catalog_node *node, const char *manifest_key, struct buf *out)
{
    buf_clear(out);
    const char *own = own_folders(node);
    for (const char *at = strstr(manifest_key, own); at != NULL; at = strstr(at + 1, own)) {
        if (at == manifest_key || at[-1] == '/') {
            return buf_append_str(out, node->prefix) && buf_append_str(out, at + strlen(own));
        }
    }
    return false;
}
