/* EXPECT_PANIC: the statements run under a deferred call that recovers and jumps back to where the
 * guard was entered, so that the test's function itself goes on (a plain recover would make it
 * return).  The jump leaves the panic's machinery behind; what it would have done, this file does. */
#define _GNU_SOURCE 1
#include "internal.h"
#include "sched/sched.h"
#include <string.h>

void rn_test_guard_enter(struct rn_test_guard *guard)
{
    guard->done = guard->caught = false;
    guard->text[0] = 0;
}

void rn_test_guard_caught(void *arg)
{
    struct rn_test_guard *guard = arg;
    struct rn_g *g = rn__self();
    const char *text = rn_recover();
    if (!text)
        return;
    snprintf(guard->text, sizeof guard->text, "%s", text);
    guard->caught = true;
    rn__panic_left(g);
    _longjmp(guard->back, 1);
}

void rn_test_guard_leave(const char *file, int line, const char *code, const char *text, struct rn_test_guard *guard)
{
    if (guard->done && !guard->caught)
        rn_test_fail(file, line, "expected panic \"%.200s\" from: %.300s", text, code);
    else if (strcmp(guard->text, text) != 0)
        rn_test_fail(file, line, "panicked with \"%s\", expected \"%.200s\": %.200s", guard->text, text, code);
}
