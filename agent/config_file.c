/* config_file: `option = value` lines of option_bag.h. */
#include "agent/option_bag.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int config_read_text(const char *path, struct buf *ret, struct err *e)
{
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        (void)err_set_sys(e, ERR_CONFIG, errno, "%s", path);
        return err_hint(e, "name a file that can be read");
    }
    char block[4096];
    for (;;) {
        const ssize_t size = read(fd, block, sizeof(block));
        if (size == 0) {
            return 0;
        }
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0) {
            return err_set_sys(e, ERR_CONFIG, errno, "%s", path);
        }
        if (!buf_append(ret, block, (size_t)size)) {
            return err_set(e, ERR_CONFIG, "%s: larger than %zu bytes", path, ret->size_max);
        }
    }
}

static struct slice trim(struct slice text)
{
    while (text.size > 0 && strchr(" \t\r", text.data[0]) != NULL && text.data[0] != '\0') {
        text = slice_of(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && strchr(" \t\r", text.data[text.size - 1]) != NULL &&
           text.data[text.size - 1] != '\0') {
        text.size--;
    }
    return text;
}

static char *copy(struct slice text)
{
    return xstrndup(text.size == 0 ? "" : (const char *)text.data, text.size);
}

static int take_setting(struct option_bag *bag, const char *path, unsigned line,
                        const struct slice name, const struct slice value, struct err *e)
{
    autofree char *name_text = copy(name);
    const enum option_id id = options_find(name_text, strlen(name_text));
    if (id == OPTION_COUNT) {
        err_set(e, ERR_CONFIG, "%s line %u: there is no option '%s'", path, line, name_text);
        return err_hint(e, "the nearest is '%s'", options_nearest(name_text));
    }
    if (id == OPTION_CONFIG || id == OPTION_HELP || id == OPTION_VERSION) {
        err_set(e, ERR_CONFIG, "%s line %u: '%s' has no meaning in a file", path, line, name_text);
        return err_hint(e, "remove the line");
    }
    autofree char *value_text = copy(value);
    autofree char *origin = xasprintf("%s line %u: %s", path, line, name_text);
    option_bag_add(bag, id, RANK_FILE, value_text, origin);
    return 0;
}

static int take_line(struct option_bag *bag, const char *path, unsigned line, struct slice text,
                     struct err *e)
{
    text = trim(text);
    if (text.size == 0 || text.data[0] == '#') {
        return 0;
    }
    if (memchr(text.data, '\0', text.size) != NULL) {
        return err_set(e, ERR_CONFIG, "%s line %u: holds a NUL byte", path, line);
    }
    const uint8_t *equals = memchr(text.data, '=', text.size);
    if (equals == NULL) {
        err_set(e, ERR_CONFIG, "%s line %u: is not 'option = value'", path, line);
        return err_hint(e, "write a flag as 'json = true'");
    }
    const size_t name_size = (size_t)(equals - text.data);
    return take_setting(bag, path, line, trim(slice_of(text.data, name_size)),
                        trim(slice_of(equals + 1, text.size - name_size - 1)), e);
}

int option_bag_read_file(struct option_bag *bag, const char *path, struct err *e)
{
    autobuf struct buf text = BUF_INIT(CONFIG_FILE_SIZE_MAX);
    if (config_read_text(path, &text, e) != 0) {
        return -1;
    }
    const char *rest = buf_str(&text);
    size_t size = text.size;
    struct err first = ERR_INIT;
    for (unsigned line = 1; size > 0; line++) {
        const char *feed = memchr(rest, '\n', size);
        const size_t line_size = feed == NULL ? size : (size_t)(feed - rest);
        struct err found = ERR_INIT;
        if (take_line(bag, path, line, slice_of(rest, line_size), &found) != 0 &&
            first.kind == ERR_NONE) {
            first = found;
        }
        const size_t used = feed == NULL ? size : line_size + 1;
        rest += used;
        size -= used;
    }
    if (first.kind != ERR_NONE) {
        *e = first;
    }
    return first.kind == ERR_NONE ? 0 : -1;
}
