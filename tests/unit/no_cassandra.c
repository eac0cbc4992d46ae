/*
 * no_cassandra: for tests that open a target thousands of times. Reading all of /proc for a running
 * Cassandra took two thirds of their CPU time; test_running.c tests that.
 */
#include "agent/running.h"

int __wrap_running_check(const char *proc, const char *dir, struct err *e);

int __wrap_running_check(const char *proc, const char *dir, struct err *e)
{
    (void)proc;
    (void)dir;
    (void)e;
    return 0;
}
