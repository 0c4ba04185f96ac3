/* Any C library may be called from any goroutine.  One that blocks or computes for long does not
 * hold up the others, also with one processor; a call known to block can say so beforehand. */
#include <runnel.h>
#include <stdio.h>
#include <time.h>

static void old_library(rn_duration d)
{
    struct timespec t = {.tv_sec = d / RN_SECOND, .tv_nsec = d % RN_SECOND};
    nanosleep(&t, NULL); /* blocks the thread */
}

static void announced(rn_duration d)
{
    rn_blocking_enter(); /* others go on at once, not only when the monitor has noticed */
    old_library(d);
    rn_blocking_leave();
}

static void compute(rn_atomic_bool *stop)
{
    while (!rn_atomic_load(stop))
        ; /* never calls into runnel */
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_set_procs(1);
    rn_atomic_bool stop = {false};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, old_library, 100 * RN_MILLISECOND);
    wg_go(&wg, announced, 100 * RN_MILLISECOND);
    wg_go(&wg, compute, &stop);
    for (int i = 1; i <= 3; i++) {
        rn_sleep(RN_MILLISECOND);
        printf("main goes on: %d\n", i);
    }
    rn_atomic_store(&stop, true);
    wg_wait(&wg);
    return 0;
}
