/* For tests of channels: a look inside, and waiting until somebody waits. */
#ifndef TESTS_CHAN_INSIDE_H
#define TESTS_CHAN_INSIDE_H

#include "chan/chan.h"
#include <runnel/chan.h>
#include <runnel/go.h>
#include <runnel/select.h>
#include <runnel/test.h>
#include <string.h>

#define INSIDE(c) ((struct rn_chan *)RN__CH(c))

/* The library is not instrumented in the race build; nor is what looks into it. */
#ifdef __clang__
#define LOOKS_INSIDE __attribute__((disable_sanitizer_instrumentation, noinline, unused))
#else
#define LOOKS_INSIDE
#endif

/* Channels become a thread's own on every machine, also where that gains nothing. */
LOOKS_INSIDE static inline void let_sections_pay(void)
{
    rn_store_relaxed(&rn__solo_paying, RN_SOLO_PAYS);
}

/* Returns once n goroutines or threads stand in line to receive (send). */
LOOKS_INSIDE static inline void await_receivers(struct rn_chan *c, uint32_t n)
{
    while (rn_load_acquire(&c->receivers) != n)
        rn_yield();
}

LOOKS_INSIDE static inline void await_senders(struct rn_chan *c, uint32_t n)
{
    while (rn_load_acquire(&c->senders) != n)
        rn_yield();
}

/* No waiter is left, neither counted nor in a queue. */
LOOKS_INSIDE static inline bool nobody_waits(struct rn_chan *c)
{
    return rn_load_acquire(&c->receivers) == 0 && rn_load_acquire(&c->senders) == 0 && rn_list_empty(&c->recvq) &&
           rn_list_empty(&c->sendq);
}

/* Pseudo-random numbers from a seed (xorshift64*): the same everywhere. */
static inline uint64_t test_random(uint64_t *state)
{
    uint64_t x = *state ? *state : 88172645463325252u;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 2685821657736338717u;
}

static inline uint32_t test_random_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)((test_random(state) >> 32) * n >> 32);
}

#endif
