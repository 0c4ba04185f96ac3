/* Classic bugs that only some schedules show, each with its repair: every buggy_… must be found within 1000
 * schedules, whatever the strategy, and no fixed_… may ever fail.  tests/explore/run.sh runs them. */
#include <runnel.h>
#include <runnel/test.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static int counter;
static bool ready, closed;
static rn_mutex mu, other;
static rn_cond cond;

static void both(void (*f)(void))
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, f);
    wg_go(&wg, f);
    wg_wait(&wg);
}

/* ---- an update is lost: the value was read before another one wrote it ---- */

static void update_around_yield(void)
{
    int seen = counter;
    rn_yield();
    counter = seen + 1;
}

static void update_plain(void)
{
    counter++;
}

static void update_in_two_locks(void)
{
    mutex_lock(&mu);
    int seen = counter;
    mutex_unlock(&mu);
    mutex_lock(&mu);
    counter = seen + 1;
    mutex_unlock(&mu);
}

static void update_locked(void)
{
    mutex_lock(&mu);
    counter++;
    mutex_unlock(&mu);
}

static _Atomic int atomic_counter;

static void update_load_store(void)
{
    int seen = atomic_load(&atomic_counter);
    atomic_store(&atomic_counter, seen + 1);
}

static void update_fetch_add(void)
{
    atomic_fetch_add(&atomic_counter, 1);
}

TEST(buggy_lost_update_around_yield)
{
    both(update_around_yield);
    CHECK_EQ(counter, 2);
}

TEST(buggy_lost_update_plain)
{
    both(update_plain);
    CHECK_EQ(counter, 2);
}

TEST(buggy_lost_update_in_two_locks)
{
    both(update_in_two_locks);
    CHECK_EQ(counter, 2);
}

TEST(buggy_lost_update_of_an_atomic)
{
    both(update_load_store);
    CHECK_EQ(atomic_load(&atomic_counter), 2);
}

TEST(fixed_lost_update_locked)
{
    both(update_locked);
    CHECK_EQ(counter, 2);
}

TEST(fixed_lost_update_of_an_atomic)
{
    both(update_fetch_add);
    CHECK_EQ(atomic_load(&atomic_counter), 2);
}

/* ---- check, then act: what was checked no longer holds ---- */

static void close_if_open(chan(int) c)
{
    if (!closed) {
        closed = true;
        chan_close(c);
    }
}

static rn_once once;

static void close_once(chan(int) c)
{
    once_do(&once, (rn_chan_close), c);
}

static void close_twice(void (*f)(chan(int)))
{
    chan(int) c = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, f, c);
    wg_go(&wg, f, c);
    wg_wait(&wg);
    chan_free(c);
}

TEST(buggy_double_close)
{
    close_twice(close_if_open);
}

TEST(fixed_double_close)
{
    close_twice(close_once);
}

static int balance = 100;

static void withdraw_checked_early(void)
{
    mutex_lock(&mu);
    bool enough = balance >= 60;
    mutex_unlock(&mu);
    if (!enough)
        return;
    mutex_lock(&mu);
    balance -= 60;
    mutex_unlock(&mu);
}

static void withdraw(void)
{
    mutex_lock(&mu);
    if (balance >= 60)
        balance -= 60;
    mutex_unlock(&mu);
}

TEST(buggy_check_then_act)
{
    both(withdraw_checked_early);
    CHECK(balance >= 0);
}

TEST(fixed_check_then_act)
{
    both(withdraw);
    CHECK(balance >= 0);
}

/* ---- locks in opposite orders ---- */

static void lock_two(rn_mutex *a, rn_mutex *b)
{
    mutex_lock(a);
    mutex_lock(b);
    counter++;
    mutex_unlock(b);
    mutex_unlock(a);
}

TEST(buggy_lock_order)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, lock_two, &mu, &other);
    wg_go(&wg, lock_two, &other, &mu);
    wg_wait(&wg);
}

TEST(fixed_lock_order)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, lock_two, &mu, &other);
    wg_go(&wg, lock_two, &mu, &other);
    wg_wait(&wg);
}

static rn_rwmutex rw;

static void read_twice(void)
{
    rwmutex_rlock(&rw);
    rwmutex_rlock(&rw);
    rwmutex_runlock(&rw);
    rwmutex_runlock(&rw);
}

static void read_once(void)
{
    rwmutex_rlock(&rw);
    rwmutex_runlock(&rw);
}

static void write_once(void)
{
    rwmutex_lock(&rw);
    rwmutex_unlock(&rw);
}

TEST(buggy_recursive_read_lock)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, read_twice);
    wg_go(&wg, write_once);
    wg_wait(&wg);
}

TEST(fixed_recursive_read_lock)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, read_once);
    wg_go(&wg, write_once);
    wg_wait(&wg);
}

/* ---- a signal comes before the wait ---- */

static void signal_unlocked(void)
{
    ready = true;
    cond_signal(&cond);
}

static void signal_locked(void)
{
    mutex_lock(&mu);
    ready = true;
    cond_signal(&cond);
    mutex_unlock(&mu);
}

static void wait_until_ready(void)
{
    mutex_lock(&mu);
    while (!ready)
        cond_wait(&cond, &mu);
    mutex_unlock(&mu);
}

TEST(buggy_missed_signal)
{
    go(signal_unlocked);
    wait_until_ready();
}

TEST(fixed_missed_signal)
{
    go(signal_locked);
    wait_until_ready();
}

/* ---- if instead of while: somebody else was quicker ---- */

static rn_cond not_empty;
static int items;

static void take_if(void)
{
    mutex_lock(&mu);
    if (items == 0)
        cond_wait(&not_empty, &mu);
    items--;
    CHECK(items >= 0);
    mutex_unlock(&mu);
}

static void take_while(void)
{
    mutex_lock(&mu);
    while (items == 0)
        cond_wait(&not_empty, &mu);
    items--;
    CHECK(items >= 0);
    mutex_unlock(&mu);
}

static void put(void)
{
    mutex_lock(&mu);
    items++;
    cond_signal(&not_empty);
    mutex_unlock(&mu);
}

static void buffer(void (*take)(void))
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, take);
    wg_go(&wg, take);
    wg_go(&wg, put);
    wg_go(&wg, put);
    wg_wait(&wg);
}

TEST(buggy_buffer_with_if)
{
    buffer(take_if);
}

TEST(fixed_buffer_with_while)
{
    buffer(take_while);
}

/* ---- add inside the goroutine that is waited for ---- */

static rn_waitgroup all;

static void adds_itself(void)
{
    wg_add(&all, 1);
    counter++;
    wg_done(&all);
}

static void is_added(void)
{
    counter++;
    wg_done(&all);
}

TEST(buggy_add_after_wait)
{
    go(adds_itself);
    wg_wait(&all);
    CHECK_EQ(counter, 1);
}

TEST(fixed_add_after_wait)
{
    wg_add(&all, 1);
    go(is_added);
    wg_wait(&all);
    CHECK_EQ(counter, 1);
}

/* ---- order: used before it is there ---- */

static char *config;
static chan(rn_unit) configured;

static void configure(void)
{
    config = strdup("config");
}

static void configure_and_tell(void)
{
    config = strdup("config");
    chan_close(configured);
}

TEST(buggy_order)
{
    go(configure);
    rn_yield();
    CHECK(config != NULL);
}

TEST(fixed_order)
{
    configured = chan_make(rn_unit, 0);
    go(configure_and_tell);
    chan_recv(configured);
    CHECK(config != NULL);
    chan_free(configured);
    free(config);
}

/* ---- ABA: the value is the same again, and yet not ---- */

static struct node {
    struct node *next;
    bool taken;
} nodes[3];
static _Atomic(struct node *) top;

static struct node *pop(void)
{
    struct node *n = atomic_load(&top);
    while (n && !atomic_compare_exchange_strong(&top, &n, n->next))
        continue;
    return n;
}

static void push(struct node *n)
{
    n->next = atomic_load(&top);
    while (!atomic_compare_exchange_strong(&top, &n->next, n))
        continue;
}

static struct node *pop_locked(void)
{
    mutex_lock(&mu);
    struct node *n = pop();
    mutex_unlock(&mu);
    return n;
}

static void push_locked(struct node *n)
{
    mutex_lock(&mu);
    push(n);
    mutex_unlock(&mu);
}

static void use(struct node *n)
{
    CHECK(!n->taken);
    n->taken = true;
}

static void pop_pop_push(struct node *(*get)(void), void (*put_back)(struct node *))
{
    struct node *a = get(), *b = get();
    if (b)
        use(b);
    if (a)
        put_back(a);
}

static void pop_and_again(struct node *(*get)(void))
{
    struct node *a = get(), *b = get();
    if (a)
        use(a);
    if (b)
        use(b);
}

static void stack(struct node *(*get)(void), void (*put_back)(struct node *))
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 3; i-- > 0;)
        push(&nodes[i]);
    wg_go(&wg, pop_and_again, get);
    wg_go(&wg, pop_pop_push, get, put_back);
    wg_wait(&wg);
}

TEST(buggy_aba)
{
    stack(pop, push);
}

TEST(fixed_aba)
{
    stack(pop_locked, push_locked);
}

/* ---- goroutines left behind ---- */

static void answer(chan(int) c)
{
    chan_send(c, 42);
}

static void ask(size_t room)
{
    chan(int) c = chan_make(int, room);
    go(answer, c);
    int v;
    chan_select(on_recv(c, &v), on_default());
}

TEST(buggy_answer_that_nobody_takes)
{
    ask(0);
}

TEST(fixed_answer_that_nobody_takes)
{
    ask(1);
}

static void produce(chan(int) c, chan(rn_unit) stop)
{
    for (int i = 0;; i++)
        switch (chan_select(on_send(c, i), on_recv(stop, NULL))) {
        case 1:
            chan_close(c);
            return;
        default:;
        }
}

static void produce_for_ever(chan(int) c)
{
    for (int i = 0;; i++)
        chan_send(c, i);
}

TEST(buggy_producer_without_an_end)
{
    chan(int) c = chan_make(int, 0);
    go(produce_for_ever, c);
    CHECK_EQ(chan_recv(c), 0);
}

TEST(fixed_producer_without_an_end)
{
    chan(int) c = chan_make(int, 0);
    chan(rn_unit) stop = chan_make(rn_unit, 0);
    go(produce, c, stop);
    CHECK_EQ(chan_recv(c), 0);
    chan_close(stop);
    for (int v; chan_next(c, &v);)
        continue;
    chan_free(c);
    chan_free(stop);
}

/* ---- publication by a flag ---- */

static int data;
static _Atomic bool published;

static void publish_early(void)
{
    atomic_store(&published, true);
    data = 7;
}

static void publish(void)
{
    data = 7;
    atomic_store(&published, true);
}

static void consume(void)
{
    if (atomic_load(&published))
        CHECK_EQ(data, 7);
}

TEST(buggy_publication)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, publish_early);
    wg_go(&wg, consume);
    wg_wait(&wg);
}

TEST(fixed_publication)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, publish);
    wg_go(&wg, consume);
    wg_wait(&wg);
}

/* ---- a timeout and an answer at the same moment ---- */

static void answer_late(chan(int) c)
{
    rn_sleep(RN_SECOND);
    chan_send(c, 1);
}

static void ask_late(size_t room)
{
    chan(int) c = chan_make(int, room);
    go(answer_late, c);
    int v;
    chan_select(on_recv(c, &v), on_timeout(RN_SECOND));
}

TEST(buggy_timeout_against_answer)
{
    ask_late(0);
}

TEST(fixed_timeout_against_answer)
{
    ask_late(1);
}

/* One who goes round for ever does not hide those who are left behind. */
static void drum(rn_atomic(bool) * stop)
{
    while (!*stop)
        rn_sleep(10 * RN_MILLISECOND);
}

static void exchange_late(chan(int) from, chan(int) to)
{
    chan_recv(from);
    chan_send(to, 1);
}

TEST(buggy_pair_beside_a_ticker)
{
    static rn_atomic(bool) stop;
    chan(int) a = chan_make(int, 0), b = chan_make(int, 0);
    go(drum, &stop);
    go(exchange_late, a, b);
    go(exchange_late, b, a);
}

static void answer_in_an_hour(chan(int) c)
{
    rn_sleep(RN_HOUR);
    chan_send(c, 1);
}

static void take_one(chan(int) c)
{
    chan_recv(c);
}

TEST(fixed_ticker_and_late_answer)
{
    static rn_atomic(bool) stop;
    chan(int) c = chan_make(int, 0);
    go(drum, &stop);
    go(answer_in_an_hour, c);
    go(take_one, c);
}

/* ---- two that wake each other all the time, until a third one stops them ---- */

struct game {
    chan(int) ball[2];
    chan(rn_unit) whistle;
    rn_waitgroup players;
};

static bool pass(struct game *g, int to, int hits, bool listening)
{
    if (listening)
        return chan_select(on_send(g->ball[to], hits), on_recv(g->whistle, NULL)) == 0;
    chan_send(g->ball[to], hits);
    return true;
}

static void play(struct game *g, int me, bool listening)
{
    int hits;
    while (chan_select(on_recv(g->ball[me], &hits), on_recv(g->whistle, NULL)) == 0)
        if (!pass(g, !me, hits + 1, listening))
            return;
}

static void play_until_the_whistle(bool listening)
{
    struct game g = {{chan_make(int, 0), chan_make(int, 0)}, chan_make(rn_unit, 0), RN_WAITGROUP_INIT};
    wg_go(&g.players, play, &g, 0, listening);
    wg_go(&g.players, play, &g, 1, listening);
    chan_send(g.ball[0], 0);
    chan_close(g.whistle);
    wg_wait(&g.players);
    chan_free(g.ball[0]);
    chan_free(g.ball[1]);
    chan_free(g.whistle);
}

TEST(buggy_pass_to_one_who_left)
{
    play_until_the_whistle(false);
}

TEST(fixed_pass_to_one_who_left)
{
    play_until_the_whistle(true);
}

/* ---- a timeout of less time than an answer may take ------------------------------------------------------ */

static void answer_to(chan(int) c)
{
    chan_send(c, 42);
}

static void ask_shortly(int room)
{
    chan(int) c = chan_make(int, room);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, answer_to, c);
    int got;
    chan_select(on_recv(c, &got), on_timeout(200 * RN_NANOSECOND));
    wg_wait(&wg);
    chan_free(c);
}

TEST(buggy_short_timeout)
{
    ask_shortly(0);
}

TEST(fixed_short_timeout)
{
    ask_shortly(1);
}

/* ---- a lock that is kept on one way out, though main does not wait for it ---- */

static void keep(rn_mutex *mu, bool on_error)
{
    mutex_lock(mu);
    if (on_error)
        return;
    mutex_unlock(mu);
}

static void lock_late(rn_mutex *mu)
{
    rn_sleep(RN_MILLISECOND);
    mutex_lock(mu);
    mutex_unlock(mu);
}

static void leave_with_lock(bool on_error)
{
    static rn_mutex mu = RN_MUTEX_INIT;
    go(keep, &mu, on_error);
    go(lock_late, &mu);
}

TEST(buggy_kept_lock)
{
    leave_with_lock(true);
}

TEST(fixed_kept_lock)
{
    leave_with_lock(false);
}

/* ---- a channel that is freed as soon as one has used it -------------------------------------------------- */

static void leave_one(chan(int) c, rn_waitgroup *wg)
{
    wg_done(wg); /* too early: the send is still to come */
    chan_send(c, 1);
}

static void leave_one_first(chan(int) c, rn_waitgroup *wg)
{
    chan_send(c, 1);
    wg_done(wg);
}

static void free_when_left(void (*leave)(chan(int), rn_waitgroup *))
{
    chan(int) c = chan_make(int, 2);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, 2);
    go(leave, c, &wg);
    go(leave, c, &wg);
    wg_wait(&wg);
    chan_free(c);
}

TEST(buggy_freed_too_early)
{
    free_when_left(leave_one);
}

TEST(fixed_freed_too_early)
{
    free_when_left(leave_one_first);
}

/* ---- one who looks again and again whether he is to stop, and is left by main ------------------------------ */

struct watched {
    rn_mutex mu;
    chan(int) stop;
};

static void look_until_told(struct watched *w)
{
    int told;
    while (chan_select(on_recv(w->stop, &told), on_default()) != 0) {
        mutex_lock(&w->mu);
        mutex_unlock(&w->mu);
    }
}

static void tell(struct watched *w, bool with_lock)
{
    mutex_lock(&w->mu);
    if (!with_lock)
        mutex_unlock(&w->mu);
    chan_send(w->stop, 1); /* with the lock: the other waits for that */
    if (with_lock)
        mutex_unlock(&w->mu);
}

static void leave_watched(bool with_lock)
{
    static struct watched w;
    w.stop = chan_make(int, 0);
    go(look_until_told, &w);
    go(tell, &w, with_lock);
}

TEST(buggy_told_with_lock)
{
    leave_watched(true);
}

TEST(fixed_told_with_lock)
{
    leave_watched(false);
}
