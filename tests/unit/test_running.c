#include "agent/running.h"
#include "tests/unit/tree.h"

#include <grp.h>
#include <sys/wait.h>

/* A /proc of our own with one process, 77, and the directory "data/d". */
struct world {
    struct tree tree;
    char *proc, *dir;
};

static void world_init(struct world *world)
{
    world->tree = tree_new();
    world->proc = xasprintf("%s/proc", world->tree.root);
    world->dir = xasprintf("%s/data/d", world->tree.root);
    tree_folders(&world->tree, "proc/77/fd/");
    tree_folders(&world->tree, "proc/self/");
    tree_folders(&world->tree, "data/d/");
}

static void world_done(struct world *world)
{
    tree_free(&world->tree);
    free(world->proc);
    free(world->dir);
}

/* '|' stands for the NUL that ends an argument. */
static void set_command_line(const struct world *world, const char *before, const char *middle,
                             const char *after)
{
    autofree char *path = xasprintf("%s/77/cmdline", world->proc);
    autofile FILE *file = fopen(path, "we");
    assert_non_null(file);
    autofree char *line = xasprintf("%s%s%s", before, middle, after);
    for (const char *c = line; *c != '\0'; c++) {
        assert_true(fputc(*c == '|' ? '\0' : *c, file) != EOF);
    }
}

static void link_to(const struct world *world, const char *name, const char *target)
{
    autofree char *path = xasprintf("%s/77/%s", world->proc, name);
    assert_int_equal(symlink(target, path), 0);
}

static bool refused(const struct world *world)
{
    struct err e = ERR_INIT;
    const int result = running_check(world->proc, world->dir, &e);
    if (result < 0) {
        assert_int_equal(e.kind, ERR_REFUSED);
        assert_non_null(strstr(e.text, "process 77"));
        assert_true(strlen(e.hint) > 0);
    }
    return result < 0;
}

#define CASSANDRA "org.apache.cassandra.service.CassandraDaemon|"

static void command_lines_tell(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
        bool with_dir, refused;
    } CASES[] = {
        {"/usr/bin/java|-cp|x|" CASSANDRA, "", false, false},
        {"/usr/bin/java|-Ddata=", "|" CASSANDRA, true, true},
        {"/usr/bin/java|-Ddata=", "/ks|" CASSANDRA, true, true},
        {"/usr/bin/java|-Ddata=", "other|" CASSANDRA, true, false},
        {"/usr/bin/java|-Dcassandra.storagedir=/nowhere|" CASSANDRA, "", false, false},
        {"/usr/bin/java|-Dx=", "|org.example.Main|", true, false},
        {"/bin/tail|-f|", "|", true, false},
        {"", "", false, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct world world;
        world_init(&world);
        set_command_line(&world, CASES[i].before, CASES[i].with_dir ? world.dir : "",
                         CASES[i].after);
        assert_int_equal(refused(&world), CASES[i].refused);
        world_done(&world);
    }
}

/* Below it only data/ is Cassandra's: a folder beside that may be one to import from. */
static void data_of_the_storage_directory_counts(void **state)
{
    (void)state;
    static const struct {
        const char *storage;
        bool refused;
    } CASES[] = {{"", true}, {"/data/d", true}, {"/data/d/below", true}, {"/data", false}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct world world;
        world_init(&world);
        autofree char *storage = xasprintf("%s%s", world.tree.root, CASES[i].storage);
        set_command_line(&world, "java|-Dcassandra.storagedir=", storage, "|" CASSANDRA);
        assert_int_equal(refused(&world), CASES[i].refused);
        world_done(&world);
    }
}

static void what_java_holds_counts(void **state)
{
    (void)state;
    static const char *const HOLDERS[] = {"java|-jar|priam.jar|", "java|" CASSANDRA};
    static const struct {
        const char *name, *target;
        bool refused;
    } CASES[] = {
        {"fd/3", "/ks/t/nb-1-big-Data.db", true},
        {"fd/3", "", true},
        {"fd/3", "ish/ks", false},
        {"cwd", "", true},
        {"cwd", "ish", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES) * ARRAY_SIZE(HOLDERS); i++) {
        struct world world;
        world_init(&world);
        set_command_line(&world, HOLDERS[i % ARRAY_SIZE(HOLDERS)], "", "");
        autofree char *target = xasprintf("%s%s", world.dir, CASES[i / ARRAY_SIZE(HOLDERS)].target);
        link_to(&world, "fd/0", "/dev/null");
        link_to(&world, CASES[i / ARRAY_SIZE(HOLDERS)].name, target);
        assert_int_equal(refused(&world), CASES[i / ARRAY_SIZE(HOLDERS)].refused);
        world_done(&world);
    }
}

static void mapped_files_count(void **state)
{
    (void)state;
    for (int below = 0; below < 2; below++) {
        struct world world;
        world_init(&world);
        set_command_line(&world, "/opt/jdk/bin/java|-jar|x.jar|", "", "");
        autofree char *maps = xasprintf("7f00-7f01 r--s 00000000 fd:00 1  /lib/libc.so\n"
                                        "7f02-7f03 r--s 00000000 00:00 0\n"
                                        "7f04-7f05 r--s 00000000 fd:00 2  %s%s\n",
                                        world.dir, below == 1 ? "/ks/t/x-Index.db" : "ish");
        tree_file(&world.tree, "proc/77/maps", maps);
        assert_int_equal(refused(&world), below == 1);
        world_done(&world);
    }
}

static bool refused_as_nobody(const struct world *world)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const bool other =
            geteuid() != 0 || (setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
        struct err e = ERR_INIT;
        _exit(!other ? 2 : running_check(world->proc, world->dir, &e) < 0 ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return WEXITSTATUS(status) == 1;
}

/* Another user's Cassandra does not let us look at its files: its tables have to tell. */
static void hidden_cassandra_is_taken_at_its_tables(void **state)
{
    (void)state;
    static const struct {
        const char *line, *folder;
        bool refused;
    } CASES[] = {
        {"java|" CASSANDRA, "data/d/ks/", false},
        {"java|" CASSANDRA, "data/d/system/", true},
        {"java|" CASSANDRA, "data/d/system_schema/", true},
        {"java|-jar|x.jar|", "data/d/system/", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct world world;
        world_init(&world);
        assert_int_equal(chmod(world.tree.root, 0755), 0);
        set_command_line(&world, CASES[i].line, "", "");
        tree_folders(&world.tree, CASES[i].folder);
        autofree char *fd = xasprintf("%s/77/fd", world.proc);
        assert_int_equal(chmod(fd, 0), 0);
        assert_int_equal(refused_as_nobody(&world), CASES[i].refused);
        assert_int_equal(chmod(fd, 0700), 0);
        world_done(&world);
    }
}

static void missing_proc_is_told(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    assert_int_equal(running_check("/no/such/proc", "/data", &e), -1);
    assert_int_equal(e.kind, ERR_REFUSED);
    assert_non_null(strstr(e.hint, "mount"));
}

static void this_machine_does_not_use_a_new_directory(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct err e = ERR_INIT;
    assert_int_equal(running_check("/proc", world.dir, &e), 0);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_lines_tell),
        cmocka_unit_test(data_of_the_storage_directory_counts),
        cmocka_unit_test(what_java_holds_counts),
        cmocka_unit_test(mapped_files_count),
        cmocka_unit_test(hidden_cassandra_is_taken_at_its_tables),
        cmocka_unit_test(missing_proc_is_told),
        cmocka_unit_test(this_machine_does_not_use_a_new_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
