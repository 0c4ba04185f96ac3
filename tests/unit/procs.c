/* Fewer processors than there were: those that are out of use count for nothing. */
#include "sched/rt.h"
#include <runnel.h>
#include <runnel/debug.h>
#include <runnel/test.h>

enum { MANY = 8, FEW = 2 };

TEST(who_is_out_of_use_is_not_idle)
{
    rn_stats s;
    rn_set_procs(MANY);
    rn_set_procs(FEW);
    rn_debug_stats(&s);
    CHECK_EQ(s.processors, FEW);
    CHECK(s.idle <= FEW);
}

/* The monitor sleeps when every processor does, and only then. */
TEST(the_monitor_watches_who_computes)
{
    enum { TIMES = 10, LONG = 20 }; /* ms */
    int asleep = 0;
    for (int i = 0; i < TIMES; i++) {
        rn_set_procs(MANY);
        rn_sleep(RN_MILLISECOND);
        rn_set_procs(FEW);
        for (rn_time from = rn_now(); rn_now() - from < LONG * RN_MILLISECOND;)
            rn_cpu_pause();
        asleep += rn_load_relaxed(&rn__sched.monitor_word) == 1; /* relaxed: nobody else changes it now */
    }
    CHECK_EQ(asleep, 0);
}
