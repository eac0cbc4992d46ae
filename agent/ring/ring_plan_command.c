/* ring_plan_command: `penates ring plan`: made, kept, and shown for review. */
#include <inttypes.h>
#include <string.h>

#include "agent/base/parse.h"
#include "agent/commands.h"
#include "agent/out_file.h"
#include "agent/ring/ring_make.h"
#include "agent/ring/ring_store.h"
#include "agent/text_table.h"

static void add_time(struct text_table *table, int64_t ms)
{
    char text[TIME_TEXT_SIZE];
    text_table_add(table, format_time(ms, text));
}

static void print_slots(const struct ring_plan *ring)
{
    static const struct text_column COLUMNS[] = {
        {"SLOT", true},      {"RACK", false}, {"ZONE", false}, {"TOKEN", true},
        {"STATE OF", false}, {"FILES", true}, {"BYTES", true}, {"ADDRESS", false},
    };
    struct text_table *table = text_table_new(COLUMNS, ARRAY_SIZE(COLUMNS));
    for (size_t i = 0; i < ring->slot_count; i++) {
        const struct ring_slot *slot = &ring->slots[i];
        text_table_add_u64(table, i);
        text_table_add(table, slot->rack);
        text_table_add(table, ring_plan_zone(ring, slot->rack));
        text_table_add(table, slot->token);
        add_time(table, slot->newest_ms);
        text_table_add_u64(table, slot->files);
        text_table_add_bytes(table, slot->stored_bytes);
        text_table_add(table, slot->ip == NULL ? "-" : slot->ip);
    }
    text_table_print(table, "", stdout);
    text_table_free(table);
}

static void print_notes(const char *title, const struct ring_note *notes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)printf("%s: token %s: %s\n", title, notes[i].token, notes[i].why);
    }
}

static char *place_of(const struct config *config, const struct ring_plan *ring)
{
    const size_t size = strlen(config->state);
    const bool slash = size > 0 && config->state[size - 1] == '/';
    return xasprintf("%s%splans/%s.json", config->state, slash ? "" : "/", ring->id);
}

/* The flush after it tells whether this got through. */
static void print_ring(const struct config *config, const struct ring_plan *ring)
{
    (void)printf("ring %s of cluster '%s', from %s\n", ring->id, ring->cluster, ring->source);
    print_slots(ring);
    print_notes("left out", ring->left_out, ring->left_out_count);
    print_notes("warning", ring->warnings, ring->warning_count);
    if (config->state != NULL) {
        autofree char *place = place_of(config, ring);
        (void)printf("next, on each node: penates restore --ring %s --slot auto --into DIR\n",
                     place);
    }
}

static int show(const struct config *config, const struct ring_plan *ring, const char *text,
                struct err *e)
{
    if (!config->json) {
        print_ring(config, ring);
        return out_file_flush_stdout(e);
    }
    for (size_t i = 0; i < ring->warning_count; i++) {
        log_warn("token %s: %s", ring->warnings[i].token, ring->warnings[i].why);
    }
    (void)fputs(text, stdout);
    return out_file_flush_stdout(e);
}

/* Its name is its digest: what is there already under this name is this plan. */
static int keep_in_state(const struct config *config, const struct ring_plan *ring,
                         const char *text, struct err *e)
{
    struct source *store = NULL;
    if (ring_store_open(config, config->state, &store, e) != 0) {
        return -1;
    }
    autofree char *name = xasprintf("plans/%s.json", ring->id);
    int result = ring_store_put(store, name, slice_of(text, strlen(text)), true, e);
    source_free(store);
    if (result != 0 && e->kind == ERR_CHANGED) {
        *e = ERR_INIT;
        result = 0;
    }
    return result;
}

static int keep(const struct config *config, const struct ring_plan *ring, const char *text,
                struct err *e)
{
    if (config->plan_out != NULL && out_file_write(config->plan_out, text, strlen(text), e) != 0) {
        return -1;
    }
    return config->state == NULL ? 0 : keep_in_state(config, ring, text, e);
}

/* Found out before the time that planning takes. */
static int check_places(const struct config *config, struct err *e)
{
    struct source *store = NULL;
    if (config->plan_out != NULL && out_file_check(config->plan_out, e) != 0) {
        return -1;
    }
    if (config->state == NULL) {
        return 0;
    }
    const int result = ring_store_open(config, config->state, &store, e);
    source_free(store);
    return result;
}

int ring_plan_run(const struct config *config, struct err *e)
{
    struct source *source = NULL;
    struct ring_plan *ring = NULL;
    if (check_places(config, e) != 0 || source_open(config, &source, e) != 0) {
        return -1;
    }
    int result = ring_make(config, source, &ring, e);
    source_free(source);
    if (result == 0) {
        autofree char *text = ring_plan_write(ring, config);
        result = keep(config, ring, text, e) != 0 ? -1 : show(config, ring, text, e);
    }
    ring_plan_free(ring);
    return result;
}
