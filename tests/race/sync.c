/* Locks, contexts, timers, atomics and the rest: what orders what. */
#include "pairs.h"
#include <pthread.h>
#include <runnel/fd.h>
#include <runnel/net.h>

static rn_waitgroup wg;
static rn_group errs;
static rn_flight flight;
static rn_map map = RN_MAP_INIT;
static rn_cond cond;
static void *key = "key";

static void nothing(void)
{
}

static void write_x(void)
{
    WRITE;
}

static int write_and_return(void)
{
    WRITE;
    return 0;
}

static void *write_x_in_thread(void *arg)
{
    WRITE;
    return arg;
}

#define LOCKED       \
    mutex_lock(&mu); \
    mutex_unlock(&mu)
HANDOVER(mutex, LOCKED, LOCKED)
HANDOVER(mutex_try, LOCKED, if (mutex_try_lock(&mu)) mutex_unlock(&mu))
HANDOVER(mutex_with_context, LOCKED, if (mutex_lock_ctx(ctx, &mu) == 0) mutex_unlock(&mu))
HANDOVER(rwmutex, rwmutex_lock(&rw); rwmutex_unlock(&rw), rwmutex_lock(&rw); rwmutex_unlock(&rw))
HANDOVER(rwmutex_then_reader, rwmutex_lock(&rw); rwmutex_unlock(&rw), rwmutex_rlock(&rw); rwmutex_runlock(&rw))
HANDOVER(rwmutex_reader_then_writer, rwmutex_rlock(&rw); rwmutex_runlock(&rw), rwmutex_lock(&rw); rwmutex_unlock(&rw))
HANDOVER(rwmutex_try, rwmutex_lock(&rw); rwmutex_unlock(&rw), if (rwmutex_try_lock(&rw)) rwmutex_unlock(&rw))
HANDOVER(rwmutex_try_read, rwmutex_lock(&rw); rwmutex_unlock(&rw), if (rwmutex_try_rlock(&rw)) rwmutex_runlock(&rw))
HANDOVER(semaphore, (void)rn_sem_acquire(NULL, &sem, 1); rn_sem_release(&sem, 1), (void)rn_sem_acquire(NULL, &sem, 1);
         rn_sem_release(&sem, 1))
HANDOVER(semaphore_try, (void)rn_sem_acquire(NULL, &sem, 1);
         rn_sem_release(&sem, 1), if (rn_sem_try_acquire(&sem, 1)) rn_sem_release(&sem, 1))
HANDOVER(once, once_do(&once, nothing), once_do(&once, nothing))
HANDOVER(cancel, ctx_cancel_cause(ctx, 0), (void)ctx_wait(ctx))
HANDOVER(cancel_and_done, ctx_cancel_cause(ctx, 0), (void)chan_recv(ctx_done(ctx)))
HANDOVER(cancel_and_err, ctx_cancel_cause(ctx, 0), CHECK(ctx_err(ctx) != 0))
HANDOVER(cancel_and_select, ctx_cancel_cause(ctx, 0), chan_select(on_done(ctx), on_recv(c1, NULL)))
HANDOVER(atomic_store, rn_atomic_store(&flag, 1), CHECK_EQ(rn_atomic_load(&flag), 1))
HANDOVER(atomic_add, rn_atomic_add(&flag, 1), rn_atomic_add(&flag, 1))
HANDOVER(atomic_swap, rn_atomic_swap(&flag, 1), rn_atomic_swap(&flag, 2))
HANDOVER(atomic_compare_and_swap, rn_atomic_store(&flag, 1), CHECK(rn_atomic_compare_and_swap(&flag, 1, 2)))
HANDOVER(atomic_or, rn_atomic_or(&flag, 1), rn_atomic_and(&flag, 1))
HANDOVER(release_acquire, __atomic_store_n(&flag.rn_value, 1, __ATOMIC_RELEASE),
         CHECK(__atomic_load_n(&flag.rn_value, __ATOMIC_ACQUIRE)))
HANDOVER(map_store, map_store(&map, key, key), CHECK(map_has(&map, key)))
HANDOVER(map_store_and_delete, map_store(&map, key, key), map_delete(&map, key))

/* Counted before either runs, in PAIR's first half; the waiter is the second. */
CLEAN(waitgroup_clean, wg_add(&wg, 1); chan_send(c1, 1); WRITE; wg_done(&wg), (void)chan_recv(c1); wg_wait(&wg); WRITE)
RACY(waitgroup_racy, wg_add(&wg, 1); chan_send(c1, 1); wg_done(&wg); WRITE; STEP(2), (void)chan_recv(c1); wg_wait(&wg);
     AWAIT(2); WRITE)

/* The add that begins a round comes before the wait, which it need not meet. */
CLEAN(waitgroup_begins_clean, wg_add(&wg, 1); wg_done(&wg); chan_send(c1, 1), (void)chan_recv(c1); wg_wait(&wg))
RACY(waitgroup_begins_racy, wg_add(&wg, 1); wg_done(&wg); STEP(1), AWAIT(1); wg_wait(&wg))
CLEAN(waitgroup_begins_again_clean, wg_wait(&wg); chan_send(c1, 1), (void)chan_recv(c1); wg_add(&wg, 1); wg_done(&wg))
RACY(waitgroup_begins_again_racy, wg_wait(&wg); STEP(1), AWAIT(1); wg_add(&wg, 1); wg_done(&wg))
CLEAN(waitgroup_more_clean, wg_add(&wg, 1); chan_send(c1, 1); wg_add(&wg, 1); wg_add(&wg, -2), (void)chan_recv(c1);
      wg_wait(&wg))
RACY(waitgroup_waited_racy, wg_add(&wg, 1); STEP(1); AWAIT(2); wg_done(&wg), AWAIT(1); STEP(2); wg_wait(&wg))
CLEAN(two_adds_clean, wg_add(&wg, 1); wg_done(&wg); STEP(1), AWAIT(1); wg_add(&wg, 1); wg_done(&wg))
CLEAN(two_waits_clean, wg_wait(&wg); STEP(1), AWAIT(1); wg_wait(&wg))

/* What starts and what ends. */
CLEAN(go_clean, WRITE; wg_go(&wg, write_x); wg_wait(&wg), (void)0)
RACY(go_racy, wg_go(&wg, write_x); WRITE; wg_wait(&wg), (void)0)
CLEAN(wait_clean, wg_go(&wg, write_x); wg_wait(&wg); WRITE, (void)0)
RACY(wait_racy, wg_go(&wg, write_x); rn_yield(); WRITE; wg_wait(&wg), (void)0)
CLEAN(group_clean, group_go(&errs, write_and_return); (void)rn_group_wait(&errs); WRITE, (void)0)
RACY(group_racy, group_go(&errs, write_and_return); WRITE; (void)rn_group_wait(&errs), (void)0)
RACY(two_of_a_group_racy, group_go(&errs, write_and_return); group_go(&errs, write_and_return);
     (void)rn_group_wait(&errs), (void)0)
CLEAN(one_of_a_group_clean, group_go(&errs, write_and_return); (void)rn_group_wait(&errs);
      group_go(&errs, write_and_return); (void)rn_group_wait(&errs), (void)0)

static void in_scope(bool early)
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_go(&s, write_x);
    if (early)
        WRITE;
    scope_end(&s);
    WRITE;
}
CLEAN(scope_clean, in_scope(false), (void)0)
RACY(scope_racy, in_scope(true), (void)0)

static void in_thread(bool early)
{
    pthread_t t;
    WRITE;
    REQUIRE(pthread_create(&t, NULL, write_x_in_thread, NULL) == 0);
    if (early)
        WRITE;
    pthread_join(t, NULL);
    WRITE;
}
CLEAN(thread_clean, in_thread(false), (void)0)
RACY(thread_racy, in_thread(true), (void)0)

static void by_timer(void *arg)
{
    WRITE;
    chan_send(c1, 1);
    (void)arg;
}

static void timed(bool early)
{
    rn_timer t;
    WRITE;
    rn_after_func(&t, RN_MILLISECOND, by_timer, NULL);
    if (early)
        WRITE;
    (void)chan_recv(c1);
    WRITE;
    rn_timer_stop(&t);
}
CLEAN(after_func_clean, timed(false), (void)0)
RACY(after_func_racy, timed(true), (void)0)
RACY(a_timer_orders_nothing_else, WRITE; STEP(1), AWAIT(1); (void)chan_recv(rn_after(1)); WRITE)
CLEAN(a_timer_and_a_channel, WRITE; chan_send(c1, 1), (void)chan_recv(rn_after(1)); (void)chan_recv(c1); WRITE)
RACY(a_sleep_orders_nothing, WRITE; STEP(1), AWAIT(1); rn_sleep(RN_MILLISECOND); WRITE)
CLEAN(a_sleep_and_a_channel, WRITE; chan_send(c1, 1), rn_sleep(1); (void)chan_recv(c1); WRITE)
RACY(a_yield_orders_nothing, WRITE; STEP(1), AWAIT(1); rn_yield(); WRITE)
CLEAN(a_yield_and_a_channel, WRITE; chan_send(c1, 1), rn_yield(); (void)chan_recv(c1); WRITE)
RACY(blocking_orders_nothing, WRITE; rn_blocking_enter(); rn_blocking_leave(); STEP(1), AWAIT(1); rn_blocking_enter();
     rn_blocking_leave(); WRITE)
CLEAN(blocking_and_a_lock, mutex_lock(&mu); WRITE; rn_blocking_enter(); rn_blocking_leave();
      mutex_unlock(&mu), mutex_lock(&mu); WRITE; mutex_unlock(&mu))
RACY(a_deadline_orders_nothing, WRITE; STEP(1), AWAIT(1); rn_context *d = ctx_with_timeout(ctx, 1); (void)ctx_wait(d);
     ctx_cancel(d); WRITE)
CLEAN(a_deadline_and_a_lock, mutex_lock(&mu); WRITE; mutex_unlock(&mu), rn_context *d = ctx_with_timeout(ctx, 1);
      (void)ctx_wait(d); ctx_cancel(d); mutex_lock(&mu); WRITE; mutex_unlock(&mu))
RACY(relaxed_orders_nothing, WRITE; __atomic_store_n(&flag.rn_value, 1, __ATOMIC_RELAXED); STEP(1), AWAIT(1);
     (void)__atomic_load_n(&flag.rn_value, __ATOMIC_RELAXED); WRITE)
CLEAN(readers_need_no_order, READ; STEP(1), AWAIT(1); READ)
RACY(two_readers_that_write, rwmutex_rlock(&rw); WRITE; rwmutex_runlock(&rw); STEP(1), AWAIT(1); rwmutex_rlock(&rw);
     WRITE; rwmutex_runlock(&rw))
CLEAN(two_readers, rwmutex_rlock(&rw); READ; rwmutex_runlock(&rw), rwmutex_rlock(&rw); READ; rwmutex_runlock(&rw))
RACY(one_without_the_lock, mutex_lock(&mu); WRITE; mutex_unlock(&mu); STEP(1), AWAIT(1); WRITE)
CLEAN(both_with_the_lock, mutex_lock(&mu); WRITE; mutex_unlock(&mu), mutex_lock(&mu); WRITE; mutex_unlock(&mu))
RACY(a_try_that_fails, mutex_lock(&mu); WRITE; STEP(1); AWAIT(2); mutex_unlock(&mu), AWAIT(1);
     CHECK(!mutex_try_lock(&mu)); WRITE; STEP(2))
CLEAN(a_try_that_works, mutex_lock(&mu); WRITE; mutex_unlock(&mu); STEP(1), AWAIT(1); REQUIRE(mutex_try_lock(&mu));
      WRITE; mutex_unlock(&mu))
CLEAN(cond_clean, mutex_lock(&mu); WRITE; rn_cond_signal(&cond); mutex_unlock(&mu), mutex_lock(&mu);
      while (!x) rn_cond_wait(&cond, &mu); mutex_unlock(&mu); WRITE)
RACY(cond_racy, mutex_lock(&mu); STEP(1); rn_cond_signal(&cond); mutex_unlock(&mu); WRITE; STEP(2), AWAIT(1);
     mutex_lock(&mu); mutex_unlock(&mu); AWAIT(2); WRITE)

static int fly(void *arg, void **result)
{
    WRITE;
    *result = arg;
    return 0;
}

static void in_flight(void)
{
    void *result;
    (void)rn_flight_do(&flight, "k", fly, NULL, &result, NULL);
}
CLEAN(flight_clean, in_flight(); chan_send(c1, 1), (void)chan_recv(c1); in_flight())
RACY(flight_racy, in_flight(); STEP(1), AWAIT(1); WRITE)

static void leaves(void *arg)
{
    (void)arg;
    WRITE;
}

static void panics(void *arg)
{
    (void)arg;
    (void)rn_recover();
    WRITE;
}

static void with_defer(void)
{
    defer(leaves, NULL);
}

static void with_panic(void)
{
    defer(panics, NULL);
    rn_panic("meant");
}

static void with_exit(void)
{
    defer(leaves, NULL);
    rn_exit_goroutine();
}
CLEAN(defer_clean, with_defer(); chan_send(c1, 1), (void)chan_recv(c1); WRITE)
RACY(defer_racy, with_defer(); STEP(1), AWAIT(1); WRITE)
CLEAN(recover_clean, with_panic(); chan_send(c1, 1), (void)chan_recv(c1); WRITE)
RACY(recover_racy, with_panic(); STEP(1), AWAIT(1); WRITE)
CLEAN(exit_clean, wg_go(&wg, with_exit); wg_wait(&wg); WRITE, (void)0)
RACY(exit_racy, wg_go(&wg, with_exit); WRITE; wg_wait(&wg), (void)0)

static rn_conn *r, *w;
static void writer(bool early)
{
    REQUIRE(rn_pipe(&r, &w) == 0);
    rn_atomic_store(&flag, 1);
    if (!early)
        WRITE;
    CHECK_EQ(net_write(w, "a", 1), 1);
    if (early)
        WRITE;
    STEP(1);
}

static void reader(void)
{
    char byte;
    while (!rn_atomic_load(&flag))
        rn_yield();
    CHECK_EQ(net_read(r, &byte, 1), 1);
    AWAIT(1);
    WRITE;
    net_free(r), net_free(w);
}
CLEAN(pipe_clean, writer(false), reader())
RACY(pipe_racy, writer(true), reader())
