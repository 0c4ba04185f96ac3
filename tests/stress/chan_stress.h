/* For the stress tests of channels: how long, and how to wait for threads and goroutines alike. */
#ifndef TESTS_CHAN_STRESS_H
#define TESTS_CHAN_STRESS_H

#include "../conformance/chan_inside.h"
#include <pthread.h>
#include <stdlib.h>

/* Each test goes on for half a second, or RUNNEL_STRESS times as long. */
static inline rn_time stress_until(void)
{
    const char *text = getenv("RUNNEL_STRESS");
    double times = text ? strtod(text, NULL) : 1;
    return rn__now() + (rn_time)(times * 500 * (double)RN_MILLISECOND);
}

/* f(arg) in a goroutine or in a plain thread; stress_join waits for all that were started. */
struct stress_crew {
    pthread_t thread[64];
    int threads, goroutines;
    chan(int) ended;
};

struct stress_call {
    void (*f)(void *);
    void *arg;
};

static inline void *stress_thread(void *p)
{
    struct stress_call call = *(struct stress_call *)p;
    free(p);
    call.f(call.arg);
    return NULL;
}

static inline void stress_goroutine(void (*f)(void *), void *arg, chan(int) ended)
{
    f(arg);
    chan_send(ended, 1);
}

static inline void stress_start(struct stress_crew *crew, bool thread, void (*f)(void *), void *arg)
{
    if (!crew->ended)
        crew->ended = chan_make(int, 0);
    if (thread && crew->threads < 64) {
        struct stress_call *call = malloc(sizeof *call);
        *call = (struct stress_call){f, arg};
        if (pthread_create(&crew->thread[crew->threads], NULL, stress_thread, call) == 0) {
            crew->threads++;
            return;
        }
        free(call);
    }
    go(stress_goroutine, f, arg, crew->ended);
    crew->goroutines++;
}

static inline void stress_join(struct stress_crew *crew)
{
    for (int i = 0; i < crew->goroutines; i++)
        chan_recv(crew->ended);
    for (int i = 0; i < crew->threads; i++)
        pthread_join(crew->thread[i], NULL);
    if (crew->ended)
        chan_free(crew->ended);
    *crew = (struct stress_crew){.threads = 0};
}

#endif
