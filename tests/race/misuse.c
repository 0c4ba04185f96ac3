/* Objects that are used in ways that only the order makes right: reused, overwritten, closed twice, or reached by a
 * variable that changes. */
#include "pairs.h"

static rn_waitgroup wg;
static rn_cond cond;
static chan(int) own;
static chan(rn_unit) units;
static int got;

static void make_own(void)
{
    own = chan_make(int, 2);
    units = chan_make(rn_unit, 2);
    rn_atomic_store(&flag, 1);
}

static void made(void)
{
    while (!rn_atomic_load(&flag))
        rn_yield();
}

static void free_own(void)
{
    chan_free(own);
    chan_free(units);
}

static void twice_part(int *part)
{
    *part = *part * 2 + 1;
}

static void free_nothing(void)
{
}

static void close_again(void)
{
    EXPECT_PANIC("close of closed channel", chan_close(c2));
}

static void new_semaphore(void)
{
    static const rn_semaphore fresh = RN_SEMAPHORE_INIT(1);
    sem = fresh;
}

/* A waitgroup: for several rounds, by several who wait, in place of a lock. */
static void round_of_two(void)
{
    static int parts[2];
    for (int i = 0; i < 3; i++) {
        wg_go(&wg, twice_part, &parts[0]);
        wg_go(&wg, twice_part, &parts[1]);
        wg_wait(&wg);
        parts[0] += parts[1];
    }
}
CLEAN(waitgroup_rounds_clean, round_of_two(), (void)0)
CLEAN(waitgroup_seen_by_two_clean, wg_add(&wg, 1); chan_send(c1, 1); x = 2; wg_done(&wg); wg_wait(&wg);
      READ, (void)chan_recv(c1); wg_wait(&wg); READ)
RACY(waitgroup_seen_by_two_racy, wg_add(&wg, 1); chan_send(c1, 1); wg_done(&wg); wg_wait(&wg); WRITE;
     STEP(1), (void)chan_recv(c1); wg_wait(&wg); AWAIT(1); WRITE)
RACY(waitgroup_as_lock_racy, wg_wait(&wg); wg_add(&wg, 1); wg_done(&wg); STEP(1), AWAIT(1); wg_wait(&wg);
     wg_add(&wg, 1); wg_done(&wg))
RACY(waitgroup_overwritten_racy, wg_wait(&wg); STEP(1), AWAIT(1); wg = (rn_waitgroup){0})
CLEAN(waitgroup_overwritten_clean, wg_wait(&wg); chan_send(c1, 1), (void)chan_recv(c1); wg = (rn_waitgroup){0})

/* The next round begins while a wait of the last one, by another than who begins, may still be on its way. */
static void arrive(int step)
{
    AWAIT(step);
    wg_done(&wg);
}

static void count_eight(int step)
{
    wg_add(&wg, 8);
    for (int i = 0; i < 8; i++)
        go(arrive, step);
}
RACY(waitgroup_next_round_racy, (void)chan_recv(c1); STEP(1); wg_wait(&wg); STEP(2), count_eight(1); chan_send(c1, 1);
     AWAIT(2); wg_wait(&wg); count_eight(1); wg_wait(&wg))
CLEAN(waitgroup_next_round_clean, (void)chan_recv(c1); STEP(1); wg_wait(&wg); chan_send(c0, 1), count_eight(1);
      chan_send(c1, 1); (void)chan_recv(c0); wg_wait(&wg); count_eight(1); wg_wait(&wg))

/* Objects that are set anew under somebody. */
ACCESS(mutex_overwritten, mutex_lock(&mu); mutex_unlock(&mu), mu = (rn_mutex){0})
ACCESS(rwmutex_overwritten, rwmutex_rlock(&rw); rwmutex_runlock(&rw), rw = (rn_rwmutex){0})
ACCESS(once_overwritten, once_do(&once, free_nothing), once = (rn_once){0})
ACCESS(semaphore_overwritten, CHECK(rn_sem_try_acquire(&sem, 1)); rn_sem_release(&sem, 1), new_semaphore())
ACCESS(cond_overwritten, rn_cond_signal(&cond), cond = (rn_cond){0})

/* The variable that holds a channel. */
CLEAN(channel_variable_clean, make_own(); chan_send(own, 1); chan_send(c1, 1), made(); (void)chan_recv(c1); free_own();
      own = NULL)
RACY(channel_variable_sent_racy, make_own(); chan_send(own, 1); STEP(1), made(); AWAIT(1); free_own(); own = NULL)
RACY(channel_variable_length_racy, make_own(); chan_send(c1, (int)chan_len(own)); STEP(1), made(); AWAIT(1); own = NULL)
RACY(channel_variable_select_racy, make_own(); chan_select(on_recv(own, &got), on_default()); STEP(1), made(); AWAIT(1);
     own = NULL)

/* Close: by two, and against a select that may send. */
CLEAN(close_twice_clean, chan_close(c2); chan_send(c1, 1), (void)chan_recv(c1); close_again())
RACY(close_twice_racy, chan_close(c2); STEP(1), AWAIT(1); close_again())
CLEAN(select_sends_then_close, chan_select(on_send(c2, 1), on_recv(c0, &got)); chan_send(c1, 1), (void)chan_recv(c1);
      chan_close(c2))
RACY(select_sends_and_close, chan_select(on_send(c2, 1), on_recv(c0, &got)); STEP(1), AWAIT(1); chan_close(c2))
RACY(select_might_send_and_close, chan_send(c1, 1); chan_select(on_send(c2, 1), on_recv(c1, &got)); STEP(1), AWAIT(1);
     chan_close(c2))
CLEAN(receive_and_close, chan_send(c2, 1); (void)chan_recv(c2); chan_send(c1, 1);
      (void)chan_try_recv(c2, &got), (void)chan_recv(c1); chan_close(c2))

/* Freed before another uses it, who is told that it was a channel although it is none any more; and after. */
#define FREED(name, first, second)                                                      \
    PAIR_SIDES(name, first, second)                                                     \
    TEST_DIES(name, 66, "which frees the channel: nothing orders it after its use at ") \
    {                                                                                   \
        pair(name##_first, name##_second);                                              \
    }
FREED(freed_and_used, make_own(); chan_free(own); STEP(1), made(); AWAIT(1); (void)chan_len(own))
FREED(used_and_freed, make_own(); (void)chan_len(own); STEP(1), made(); AWAIT(1); chan_free(own))

/* Seventeen senders, of whom the one that closes has waited for sixteen. */
static chan(int) wide;
static void send_wide(int before, int after)
{
    AWAIT(before);
    chan_send(wide, 1);
    STEP(after);
}

static void close_after_all_but(int others)
{
    wide = chan_make(int, 17);
    for (int i = 0; i < others; i++)
        go(send_wide, 0, 1);
    for (int i = others; i < 17; i++)
        wg_go(&wg, send_wide, others, 1);
    wg_wait(&wg);
    chan_close(wide);
}
CLEAN(close_after_all_senders, close_after_all_but(0), (void)0)
RACY(close_after_all_but_one, close_after_all_but(1), (void)0)

/* Elements of no size order as others do. */
CLEAN(units_clean, make_own(); WRITE; chan_send(units, RN_UNIT); STEP(1), made(); AWAIT(1); (void)chan_recv(units);
      WRITE; free_own())
RACY(units_racy, make_own(); chan_send(units, RN_UNIT); WRITE; STEP(1), made(); AWAIT(1); (void)chan_recv(units); WRITE;
     free_own())
RACY(units_of_two_places_racy, make_own(); chan_send(units, RN_UNIT); WRITE; (void)chan_recv(units); STEP(1), made();
     AWAIT(1); chan_send(units, RN_UNIT); WRITE; free_own())

/* Two locks are none. */
RACY(mutex_and_rwmutex, mutex_lock(&mu); WRITE; mutex_unlock(&mu); STEP(1), AWAIT(1); rwmutex_lock(&rw); WRITE;
     rwmutex_unlock(&rw))
CLEAN(mutex_within_rwmutex, rwmutex_rlock(&rw); mutex_lock(&mu); WRITE; mutex_unlock(&mu);
      rwmutex_runlock(&rw), rwmutex_rlock(&rw); mutex_lock(&mu); WRITE; mutex_unlock(&mu); rwmutex_runlock(&rw))
CLEAN(by_way_of_another, WRITE; mutex_lock(&mu); mutex_unlock(&mu); chan_send(c1, 1); STEP(1), AWAIT(1);
      rwmutex_lock(&rw); rwmutex_unlock(&rw); (void)chan_recv(c1); WRITE)

/* ---- in whatever order goroutines run ------------------------------------------------------------------ */

static void count_locked(int *n)
{
    mutex_lock(&mu);
    ++*n;
    mutex_unlock(&mu);
}

/* A look without the lock between two starts.  If the last one started always ran first, it would hand it on to the others with the
 * lock. */
static void look_between_starts(void)
{
    enum { ROUNDS = 40 };
    static int n[ROUNDS];
    rn_waitgroup all = {0};
    rn_set_procs(1);
    for (int i = 0; i < ROUNDS; i++) {
        wg_go(&all, count_locked, &n[i]);
        (void)*(volatile int *)&n[i];
        wg_go(&all, count_locked, &n[i]);
        wg_wait(&all);
    }
}
RACY(look_between_starts, look_between_starts(), (void)0)

static void count_in_a_slot(rn_semaphore *slots, int *n)
{
    REQUIRE(rn_sem_acquire(NULL, slots, 1) == 0);
    ++*n;
    rn_sem_release(slots, 1);
}

/* A semaphore of two units lets two in at once.  Each would have given its unit back before the other comes, and so have come before it. */
static void two_slots(void)
{
    enum { ROUNDS = 40 };
    static int n[ROUNDS];
    rn_semaphore slots = RN_SEMAPHORE_INIT(2);
    rn_set_procs(1);
    for (int i = 0; i < ROUNDS; i++) {
        rn_waitgroup all = {0};
        wg_go(&all, count_in_a_slot, &slots, &n[i]);
        wg_go(&all, count_in_a_slot, &slots, &n[i]);
        wg_wait(&all);
    }
}
RACY(two_slots, two_slots(), (void)0)

static void one_slot(void)
{
    static int n;
    rn_semaphore slot = RN_SEMAPHORE_INIT(1);
    rn_waitgroup all = {0};
    for (int i = 0; i < 40; i++)
        wg_go(&all, count_in_a_slot, &slot, &n);
    wg_wait(&all);
}
CLEAN(one_slot, one_slot(), (void)0)

static void count_jobs(chan_recv_only(int) jobs, int *n)
{
    while (chan_next(jobs, NULL))
        ++*n;
}

/* Two workers, and a job for each.  If nobody let the other go first in between, one would take both. */
static void one_takes_all(void)
{
    enum { ROUNDS = 40 };
    static int n[ROUNDS];
    rn_set_procs(1);
    for (int i = 0; i < ROUNDS; i++) {
        rn_waitgroup all = {0};
        chan(int) jobs = chan_make(int, 2);
        chan_send(jobs, 1);
        chan_send(jobs, 2);
        chan_close(jobs);
        wg_go(&all, count_jobs, jobs, &n[i]);
        wg_go(&all, count_jobs, jobs, &n[i]);
        wg_wait(&all);
        chan_free(jobs);
    }
}
RACY(one_takes_all, one_takes_all(), (void)0)

static void tell_and_write(chan_send_only(int) told, rn_atomic_int *written)
{
    chan_send(told, 1);
    rn_atomic_add(written, 1);
}

static int return_when_told(rn_atomic_int *written)
{
    chan(int) told = chan_make(int, 0);
    go(tell_and_write, told, written);
    (void)chan_recv(told);
    return 7;
}

/* Whoever let main go first by chance goes on before the program ends.  (What it wrote after its word was then no race.) */
TEST_PLAIN(main_ends_behind_whom_it_overtook)
{
    enum { ROUNDS = 40 };
    rn_atomic_int written = {0};
    rn_set_procs(1);
    for (int i = 0; i < ROUNDS; i++)
        CHECK_EQ(rn_run(return_when_told, &written), 7);
    CHECK_EQ(rn_atomic_load(&written), ROUNDS);
}

static void write_later(rn_duration later, rn_atomic_int *written)
{
    if (later)
        rn_sleep(later);
    rn_atomic_add(written, 1);
}

static int leave(rn_duration later, rn_atomic_int *written)
{
    go(write_later, later, written);
    return 7;
}

/* So do those whom main leaves before they begin, or while they sleep a little: what they write may race with the last that
 * main wrote. */
TEST_PLAIN(main_ends_behind_whom_it_left)
{
    enum { ROUNDS = 20 };
    rn_atomic_int written = {0};
    for (int i = 0; i < ROUNDS; i++)
        CHECK_EQ(rn_run(leave, i % 2 * 5 * RN_MILLISECOND, &written), 7);
    CHECK_EQ(rn_atomic_load(&written), ROUNDS);
}

static void add_late(rn_waitgroup *late)
{
    wg_add(late, 1);
    wg_done(late);
}

/* An add in the goroutine that is waited for.  If the wait always came first, the goroutine would run when the memory is something else. */
static void late_adds(void)
{
    enum { ROUNDS = 40 };
    static rn_waitgroup late[ROUNDS];
    rn_set_procs(1);
    for (int i = 0; i < ROUNDS; i++) {
        go(add_late, &late[i]);
        wg_wait(&late[i]);
        for (size_t k = 0; k < sizeof late[i]; k++) /* so many accesses that the detector forgets the wait */
            ((volatile char *)&late[i])[k] = 0;
    }
}

TEST_DIES(late_adds, 66, "nothing orders this wg_add before the wg_wait at ")
{
    late_adds();
}
