/* For tests that look at what counts as able to wake goroutines from outside. */
#ifndef TESTS_WAKERS_H
#define TESTS_WAKERS_H

#include "sched/sched.h"
#include <runnel.h>

/* Waits until nothing of that is left; the poller counts as a waker itself for a moment. */
static inline void await_no_wakers(void)
{
    while (rn_load_relaxed(&rn__external_wakers) != 0)
        rn_yield();
}

#endif
