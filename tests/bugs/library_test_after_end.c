/* category: special libraries / a test's goroutine goes on after its end
 * found-by: explore
 *
 * The test ends and closes its log; a helper that it has started, and not waited for, writes one line more. */
#include <runnel.h>

struct test {
    chan(int) log;
    rn_waitgroup helpers;
};

static void helper(struct test *t)
{
    chan_send(t->log, 1);
    rn_yield();
    chan_send(t->log, 2);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    static struct test t;
    t.log = chan_make(int, 4);
    wg_go(&t.helpers, helper, &t);
    chan_recv(t.log);
#ifdef FIXED
    wg_wait(&t.helpers);
#endif
    chan_close(t.log);
    wg_wait(&t.helpers);
    chan_free(t.log);
    return 0;
}
