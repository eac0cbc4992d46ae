#include "agent/folder_list.h"

#include "agent/backup_key.h"
#include "agent/base/mem.h"

/* Of one listing. More than the tokens of any cluster; a bucket that has more here is no backup. */
enum { NAMES_MAX = 1000000 };

struct reading {
    struct folder_list *list;
    const char *prefix;
    size_t seen;
};

void folder_list_add(struct folder_list *list, const char *name, size_t size)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        list->names = xrealloc(list->names, list->capacity, sizeof(*list->names));
    }
    list->names[list->count++] = xstrndup(name, size);
}

void folder_list_done(struct folder_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->names[i]);
    }
    free(list->names);
    *list = (struct folder_list){0};
}

static int take_entry(void *ctx, const struct s3_entry *entry, struct err *e)
{
    struct reading *reading = (struct reading *)ctx;
    if (++reading->seen > NAMES_MAX) {
        return err_set(e, ERR_LIMIT, "'%s': holds more than %d names, which no backup does",
                       reading->prefix, (int)NAMES_MAX);
    }
    const size_t prefix_size = strlen(reading->prefix);
    const size_t size = strlen(entry->key);
    if (!entry->is_folder || size < prefix_size + 2 ||
        strncmp(entry->key, reading->prefix, prefix_size) != 0) {
        return 0;
    }
    const struct slice name = slice_of(entry->key + prefix_size, size - prefix_size - 1);
    const char *why;
    if (backup_key_safe_component(name, &why)) {
        folder_list_add(reading->list, entry->key + prefix_size, name.size);
    }
    return 0;
}

int folder_list_read(struct folder_list *list, struct source *source, const char *prefix,
                     struct err *e)
{
    ASSERT(prefix[0] == '\0' || prefix[strlen(prefix) - 1] == '/');
    struct reading reading = {.list = list, .prefix = prefix};
    return source_list(source, &(struct s3_list){.prefix = prefix, .by_folder = true}, take_entry,
                       &reading, e);
}
