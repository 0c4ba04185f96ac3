/* (r) two threads take turns by a condition; one operation is a round trip; a hundredth as many as the others do. */
#include "../../stat.h"
#include <pth.h>

enum { TURNS = 5000 };

static pth_mutex_t mu = PTH_MUTEX_INIT;
static pth_cond_t cond = PTH_COND_INIT;
static int turn;

static void *take_turns(void *arg)
{
    int mine = arg != NULL;
    pth_mutex_acquire(&mu, FALSE, NULL);
    for (int i = 0; i < TURNS; i++) {
        while (turn != mine)
            pth_cond_await(&cond, &mu, NULL);
        turn = 1 - mine;
        pth_cond_notify(&cond, FALSE);
    }
    pth_mutex_release(&mu);
    return NULL;
}

static void ping_pong(void)
{
    turn = 0;
    pth_t t = pth_spawn(PTH_ATTR_DEFAULT, take_turns, &turn);
    take_turns(NULL);
    stat_check(t && pth_join(t, NULL));
}

int main(void)
{
    stat_check(pth_init());
    stat_bench("r.cond_pingpong_roundtrip", 11, TURNS, ping_pong);
    return 0;
}
