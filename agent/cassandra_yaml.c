#include "agent/cassandra_yaml.h"

#include "agent/base/mem.h"

#define yaml_owner __attribute__((cleanup(yaml_entries_done)))

/* What the text becomes: bytes [from, to) give way to `piece`. */
static int splice(struct slice text, size_t from, size_t to, const char *piece, struct buf *ret,
                  struct err *e)
{
    ASSERT(from <= to && to <= text.size);
    buf_clear(ret);
    const bool fits = buf_append(ret, text.data, from) && buf_append_str(ret, piece) &&
                      buf_append(ret, text.data + to, text.size - to);
    return fits ? 0 : err_set(e, ERR_LIMIT, "longer than %d bytes", YAML_TEXT_MAX);
}

static bool is_key(const struct yaml_entry *entry, const char *key)
{
    return entry->key != NULL && strcmp(entry->key, key) == 0;
}

/* Moves on to an entry of another key, or to the count. */
static size_t skip_key(const struct yaml_entries *entries, size_t at, const char *key)
{
    while (at < entries->count && is_key(&entries->items[at], key)) {
        at++;
    }
    return at;
}

/* The same entries in the same order, but for the key's, which is there once and has the value. */
static bool same_but(const struct yaml_entries *before, const struct yaml_entries *after,
                     const struct yaml_setting *setting)
{
    const struct yaml_entry *changed;
    if (yaml_entries_find(after, setting->key, &changed) != 1 || changed->value == NULL ||
        strcmp(changed->value, setting->value) != 0) {
        return false;
    }
    size_t i = skip_key(before, 0, setting->key), k = skip_key(after, 0, setting->key);
    while (i < before->count && k < after->count &&
           yaml_entries_equal(&before->items[i], &after->items[k])) {
        i = skip_key(before, i + 1, setting->key);
        k = skip_key(after, k + 1, setting->key);
    }
    return i == before->count && k == after->count;
}

/* True when the edited text reads as it should. */
static bool holds(const struct buf *edited, const struct yaml_entries *before,
                  const struct yaml_setting *setting)
{
    struct err ignored = ERR_INIT;
    yaml_owner struct yaml_entries after = {0};
    return yaml_entries_read(slice_of(edited->data, edited->size), &after, &ignored) == 0 &&
           same_but(before, &after, setting);
}

/* The scalar as YAML writes it. Cassandra takes tokens as texts, so quotes do not change them. */
static int scalar_of(const struct yaml_setting *setting, struct buf *ret, struct err *e)
{
    const char *value = setting->value;
    bool clean = value[0] != '\0';
    for (const char *c = value; *c != '\0'; c++) {
        clean = clean && *c >= 0x20 && *c < 0x7F;
    }
    if (!clean) {
        return err_set(e, ERR_CONFIG, "%s: '%s' cannot be written into YAML", setting->key, value);
    }
    const char *digits = value[0] == '-' ? value + 1 : value;
    const bool number = digits[0] != '\0' && digits[strspn(digits, "0123456789")] == '\0';
    if (number || strcmp(value, "false") == 0 || strcmp(value, "true") == 0) {
        (void)buf_append_str(ret, value); /* short, and so is what follows */
        return 0;
    }
    (void)buf_append_char(ret, '\'');
    for (const char *c = value; *c != '\0'; c++) {
        (void)buf_append_str(ret, *c == '\'' ? "''" : (const char[]){*c, '\0'});
    }
    (void)buf_append_char(ret, '\'');
    return ret->overflowed ? err_set(e, ERR_LIMIT, "%s: too long a value", setting->key) : 0;
}

static const char *line_end_of(struct slice text)
{
    const uint8_t *feed = text.size == 0 ? NULL : memchr(text.data, '\n', text.size);
    return feed != NULL && feed > text.data && feed[-1] == '\r' ? "\r\n" : "\n";
}

/* "#", maybe more of them and blanks, KEY, blanks, ":". */
static bool comments_out(struct slice line, const char *key)
{
    const char *at = (const char *)line.data, *end = at + line.size;
    const size_t size = strlen(key);
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    if (at == end || *at != '#') {
        return false;
    }
    while (at < end && (*at == ' ' || *at == '\t' || *at == '#')) {
        at++;
    }
    if ((size_t)(end - at) <= size || memcmp(at, key, size) != 0) {
        return false;
    }
    at += size;
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    return at < end && *at == ':';
}

/* The byte after the first line that has the key commented out; the text's size + 1: there is none.
 */
static size_t after_comment(struct slice text, const char *key)
{
    size_t at = 0;
    while (at < text.size) {
        const uint8_t *feed = memchr(text.data + at, '\n', text.size - at);
        const size_t next = feed == NULL ? text.size : (size_t)(feed - text.data) + 1;
        if (comments_out(slice_of(text.data + at, next - at), key)) {
            return next;
        }
        at = next;
    }
    return text.size + 1;
}

/* A line of its own at a place where one begins, or at the end of the text. */
static int insert_line(struct slice text, size_t at, const struct yaml_entries *entries,
                       const struct yaml_setting *setting, const char *scalar, struct buf *ret,
                       struct err *e)
{
    const char *line_end = line_end_of(text);
    const bool open_line = at > 0 && text.data[at - 1] != '\n';
    autofree char *line = xasprintf("%s%*s%s: %s%s", open_line ? line_end : "",
                                    (int)entries->column, "", setting->key, scalar, line_end);
    return splice(text, at, at, line, ret, e);
}

static int insert(struct slice text, const struct yaml_entries *entries,
                  const struct yaml_setting *setting, const char *scalar, struct buf *ret,
                  struct err *e)
{
    if (entries->flow) {
        autofree char *piece =
            xasprintf("%s: %s%s", setting->key, scalar, entries->count == 0 ? "" : ", ");
        return splice(text, entries->inside, entries->inside, piece, ret, e);
    }
    const size_t comment = after_comment(text, setting->key);
    if (comment <= text.size) {
        if (insert_line(text, comment, entries, setting, scalar, ret, e) < 0) {
            return -1;
        }
        if (holds(ret, entries, setting)) {
            return 0;
        }
    }
    /* That comment lies within something else. */
    return insert_line(text, entries->end, entries, setting, scalar, ret, e);
}

static int replace(struct slice text, const struct yaml_entry *entry, const char *scalar,
                   struct buf *ret, struct err *e)
{
    const bool glued = entry->from > 0 && text.data[entry->from - 1] == ':';
    autofree char *piece = xasprintf("%s%s", glued ? " " : "", scalar);
    return splice(text, entry->from, entry->to, piece, ret, e);
}

static int check_entry(const struct yaml_entry *entry, size_t found, const char *key, struct err *e)
{
    if (found > 1) {
        (void)err_set(e, ERR_CONFIG, "%s: is there %zu times", key, found);
        return err_hint(e, "leave one of them");
    }
    if (found == 1 && entry->value == NULL) {
        (void)err_set(e, ERR_CONFIG, "%s: its value is not a plain one", key);
        return err_hint(e, "write it as '%s: VALUE', without anchor, tag or list", key);
    }
    return 0;
}

/* One setting: `text` as it is into `ret` as it shall be. */
static int set_one(struct slice text, const struct yaml_setting *setting, struct buf *ret,
                   bool *ret_changed, struct err *e)
{
    autobuf struct buf scalar = BUF_INIT(4096);
    yaml_owner struct yaml_entries entries = {0};
    if (yaml_entries_read(text, &entries, e) < 0 || scalar_of(setting, &scalar, e) < 0) {
        return -1;
    }
    const struct yaml_entry *entry = NULL;
    const size_t found = yaml_entries_find(&entries, setting->key, &entry);
    if (check_entry(entry, found, setting->key, e) < 0) {
        return -1;
    }
    if (found == 1 && strcmp(entry->value, setting->value) == 0) {
        return splice(text, 0, 0, "", ret, e);
    }
    const int made = found == 1 ? replace(text, entry, buf_str(&scalar), ret, e)
                                : insert(text, &entries, setting, buf_str(&scalar), ret, e);
    if (made < 0) {
        return -1;
    }
    if (!holds(ret, &entries, setting)) {
        (void)err_set(e, ERR_CONFIG, "%s: cannot be set without changing something else",
                      setting->key);
        return err_hint(e, "write '%s: %s' into it by hand", setting->key, buf_str(&scalar));
    }
    *ret_changed = true;
    return 0;
}

int cassandra_yaml_edit(struct slice text, const struct yaml_setting *settings, size_t count,
                        struct buf *ret, bool *ret_changed, struct err *e)
{
    ASSERT(count > 0 && settings != NULL);
    autobuf struct buf before = BUF_INIT(YAML_TEXT_MAX), after = BUF_INIT(YAML_TEXT_MAX);
    bool changed = false;
    if (splice(text, 0, 0, "", &before, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        const struct slice now = slice_of(before.data, before.size);
        if (set_one(now, &settings[i], &after, &changed, e) < 0) {
            return -1;
        }
        const struct buf swap = before;
        before = after;
        after = swap;
    }
    buf_done(ret);
    *ret = before;
    before = BUF_INIT(YAML_TEXT_MAX);
    *ret_changed = changed;
    return 0;
}

int cassandra_yaml_value(struct slice text, const char *key, char **ret, struct err *e)
{
    yaml_owner struct yaml_entries entries = {0};
    if (yaml_entries_read(text, &entries, e) < 0) {
        return -1;
    }
    const struct yaml_entry *entry = NULL;
    const size_t found = yaml_entries_find(&entries, key, &entry);
    if (check_entry(entry, found, key, e) < 0) {
        return -1;
    }
    const bool empty = found == 0 || entry->value[0] == '\0' || strcmp(entry->value, "~") == 0 ||
                       strcmp(entry->value, "null") == 0;
    *ret = empty ? NULL : xstrdup(entry->value);
    return 0;
}
