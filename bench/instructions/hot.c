/* The hot paths, one after the other, for bench/instructions/measure: callgrind counts the instructions between
 * ZERO and DUMP.  Every path runs once before, so that memory is there and symbols are bound, and then REPEATS times:
 * measure takes the smallest count, the one in which the monitor thread has not interfered (it works by the clock,
 * and under callgrind everything seems slow to it). */
#include <runnel.h>
#include <stdio.h>
#include <valgrind/callgrind.h>

enum { TIMES = 500, REPEATS = 12 }; /* measure divides by TIMES */

static void path_spawn(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < TIMES; i++) {
        wg_add(&wg, 1);
        go(wg_done, &wg);
        wg_wait(&wg);
    }
}

static void yield_often(void)
{
    for (int i = 0; i < TIMES / 2; i++)
        rn_yield();
}

/* Two goroutines yield to each other. */
static void path_switch(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, yield_often);
    wg_go(&wg, yield_often);
    wg_wait(&wg);
}

static void path_send_receive_buffered(void)
{
    chan(int) c = chan_make(int, 1);
    for (int i = 0; i < TIMES; i++) {
        chan_send(c, i);
        chan_recv(c);
    }
    chan_free(c);
}

static void send_all(chan_send_only(int) c)
{
    for (int i = 0; i < TIMES; i++)
        chan_send(c, i);
}

static void path_send_receive_unbuffered(void)
{
    chan(int) c = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, send_all, c);
    for (int i = 0; i < TIMES; i++)
        chan_recv(c);
    wg_wait(&wg);
    chan_free(c);
}

static void path_select_waiting(void)
{
    chan(int) c = chan_make(int, 0), other = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, send_all, c);
    for (int i = 0; i < TIMES; i++)
        chan_select(on_recv(c, NULL), on_recv(other, NULL));
    wg_wait(&wg);
    chan_free(c);
    chan_free(other);
}

static void path_select_ready(void)
{
    chan(int) c = chan_make(int, 1), other = chan_make(int, 0);
    for (int i = 0; i < TIMES; i++) {
        chan_send(c, i);
        chan_select(on_recv(c, NULL), on_recv(other, NULL));
    }
    chan_free(c);
    chan_free(other);
}

static void path_select_default(void)
{
    chan(int) a = chan_make(int, 0), b = chan_make(int, 0);
    for (int i = 0; i < TIMES; i++)
        chan_select(on_recv(a, NULL), on_recv(b, NULL), on_default());
    chan_free(a);
    chan_free(b);
}

static void path_try_receive(void)
{
    chan(int) c = chan_make(int, 0);
    for (int i = 0; i < TIMES; i++)
        chan_try_recv(c, NULL);
    chan_free(c);
}

static void path_mutex(void)
{
    rn_mutex mu = RN_MUTEX_INIT;
    for (int i = 0; i < TIMES; i++) {
        mutex_lock(&mu);
        mutex_unlock(&mu);
    }
}

static void path_rwmutex_read(void)
{
    rn_rwmutex rw = RN_RWMUTEX_INIT;
    for (int i = 0; i < TIMES; i++) {
        rwmutex_rlock(&rw);
        rwmutex_runlock(&rw);
    }
}

static void path_waitgroup(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < TIMES; i++) {
        wg_add(&wg, 1);
        wg_done(&wg);
    }
}

static void path_timer(void)
{
    for (int i = 0; i < TIMES; i++) {
        rn_timer *t = rn_timer_make(RN_HOUR);
        rn_timer_stop(t);
        rn_timer_free(t);
    }
}

static void path_context(void)
{
    for (int i = 0; i < TIMES; i++)
        ctx_cancel(ctx_with_cancel(ctx_background()));
}

#define COUNT(path)                         \
    do {                                    \
        path();                             \
        for (int i = 0; i < REPEATS; i++) { \
            CALLGRIND_ZERO_STATS;           \
            path();                         \
            CALLGRIND_DUMP_STATS_AT(#path); \
        }                                   \
    } while (0)

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    COUNT(path_spawn);
    COUNT(path_switch);
    COUNT(path_send_receive_buffered);
    COUNT(path_send_receive_unbuffered);
    COUNT(path_select_waiting);
    COUNT(path_select_ready);
    COUNT(path_select_default);
    COUNT(path_try_receive);
    COUNT(path_mutex);
    COUNT(path_rwmutex_read);
    COUNT(path_waitgroup);
    COUNT(path_timer);
    COUNT(path_context);
    printf("%d\n", TIMES);
    return 0;
}
