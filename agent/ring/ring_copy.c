#include "agent/ring/ring_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "agent/base/parse.h"
#include "agent/ring/ring_slot.h"
#include "agent/ring/ring_store.h"
#include "agent/target_dir.h"

#define NAME_FORMAT "ring-%s.json"
#define SLOT_FORMAT "ring-%s.slot"

enum { SLOT_TEXT_MAX = 32 };

bool ring_copy_id(const char *ring, char ret[RING_ID_SIZE])
{
    static const char SUFFIX[] = ".json";
    autofree char *state = ring_store_of(ring);
    if (state == NULL) {
        return false;
    }
    const char *name = strrchr(ring, '/') + 1;
    if (strlen(name) != RING_ID_SIZE - 1 + strlen(SUFFIX) ||
        strspn(name, "0123456789abcdef") != RING_ID_SIZE - 1 ||
        strcmp(name + RING_ID_SIZE - 1, SUFFIX) != 0) {
        return false;
    }
    memcpy(ret, name, RING_ID_SIZE - 1);
    ret[RING_ID_SIZE - 1] = '\0';
    return true;
}

bool ring_copy_read(const struct config *config, const char *ring, struct buf *ret)
{
    char id[RING_ID_SIZE], digest[RING_ID_SIZE];
    if (config->history == NULL || !ring_copy_id(ring, id)) {
        return false;
    }
    autofree char *path = xasprintf("%s/" NAME_FORMAT, config->history, id);
    struct err ignored = ERR_INIT; /* the object is there, too */
    if (ring_store_read_file(path, ret, &ignored) == 0 &&
        ring_plan_digest(slice_of(buf_str(ret), ret->size), digest) && strcmp(digest, id) == 0) {
        return true;
    }
    buf_clear(ret);
    return false;
}

bool ring_copy_slot(const struct config *config, const struct ring_plan *ring, size_t *ret)
{
    if (config->history == NULL) {
        return false;
    }
    autofree char *path = xasprintf("%s/" SLOT_FORMAT, config->history, ring->id);
    autobuf struct buf text = BUF_INIT(SLOT_TEXT_MAX);
    struct err ignored = ERR_INIT; /* then it is looked for as on a new machine */
    uint64_t slot = 0;
    if (ring_store_read_file(path, &text, &ignored) != 0 || text.size < 2 ||
        !parse_u64(buf_str(&text), text.size - 1, &slot) || slot >= ring->slot_count) {
        return false;
    }
    *ret = (size_t)slot;
    return true;
}

static int put(int folder, const char *name, const char *text, const struct config *config,
               struct err *e)
{
    if (target_dir_put(folder, name, text, config) < 0) {
        return err_set_sys(e, ERR_DISK, errno, "writing '%s/%s'", config->history, name);
    }
    return 0;
}

int ring_copy_keep(const struct config *config, struct err *e)
{
    const struct ring_choice *const choice = config->chosen;
    char id[RING_ID_SIZE];
    if (config->history == NULL || choice == NULL || choice->plan_text == NULL ||
        !ring_copy_id(config->ring, id)) {
        return 0;
    }
    autofd int folder = open(config->history, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return err_set_sys(e, ERR_CREATE, errno, "--history '%s'", config->history);
    }
    autofree char *name = xasprintf(NAME_FORMAT, id);
    autofree char *slot_name = xasprintf(SLOT_FORMAT, choice->ring_id);
    autofree char *slot = xasprintf("%zu\n", choice->slot);
    return put(folder, name, choice->plan_text, config, e) != 0 ||
                   (choice->lease != NULL && put(folder, slot_name, slot, config, e) != 0)
               ? -1
               : 0;
}
