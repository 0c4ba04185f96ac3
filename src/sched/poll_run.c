/* Each run has a poller of its own, open from before its first goroutine until after its last. */
#include "sched/rt.h"

static rn_atomic(uint32_t) run; /* 0: none is under way */

uint32_t rn__poll_run(void)
{
    return rn_load_acquire(&run); /* acquire: pairs with the release in rn__poll_begin: the poller is open */
}

int rn__poll_begin(void)
{
    static uint32_t runs;
    int err = rn_os_poll_open();
    if (err)
        return err;
    runs += runs == UINT32_MAX ? 2 : 1;
    rn_store_release(&run, runs); /* pairs with the acquire in rn__poll_run */
    return 0;
}

void rn__poll_end(void)
{
    rn_store_release(&run, 0); /* as above */
}
