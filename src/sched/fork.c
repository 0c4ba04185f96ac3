/* A child of fork has the thread that called it, and no other: no workers, no monitor, nobody who will ever let go of a lock.
 *
 * Where no run was under way that is all that there was, and the child may use everything.  Otherwise it can only do what
 * needs none of them.  What does comes by one of the slow ways in (park.c, start.c), which ask here: rather than to wait for
 * ever, or to run copies of goroutines that the parent runs, too, the child ends with a message.  A worker that goes on in the
 * child is sent the slow way by what else makes it leave its loop when a run ends (own.h). */
#include "sched/rt.h"

bool rn__forked_in_run;

static void in_child(void)
{
    struct rn_m *m = rn__m();
    rn__forked_in_run = rn__run_under_way();
    if (!m)
        return;
    rn_store_relaxed(&m->tid, rn_os_thread_id()); /* relaxed, both: there is no other thread */
    if (rn__forked_in_run)
        rn_store_relaxed(&m->own.revoke, 1); /* not by rn_own_stop: the parent's monitor may have held the lock */
}

static void expect(void)
{
    (void)pthread_atfork(NULL, NULL, in_child); /* no memory: a child says nothing, and waits */
}

void rn__fork_expect(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, expect);
}

void rn__fork_refuse(void)
{
    static const char text[] =
        "fatal error: a child of fork uses what needs other threads, which it does not have: a run was under way when it was "
        "made.  There, only call exec or _exit; or fork before rn_run\n";
    rn_os_write_stderr(text, sizeof text - 1);
    rn_os_exit(2); /* as rn_fatal, whose listing would be of the parent's goroutines */
}
