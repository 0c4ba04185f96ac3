#!/bin/sh
# RUNNEL_LOCKORDER: orders of locks that can deadlock, a lock that is taken twice, and who holds the lock that a leak or a deadlock
# waits for.
. "$(dirname "$0")/../tap.sh"
unset CC CFLAGS LDFLAGS LDLIBS RUNNEL_TEST_LEAKS RUNNEL_LOCKORDER RUNNEL_LEAKS
export XDG_CACHE_HOME="$tap_dir/cache"
mkdir "$tap_dir/tests" && cd "$tap_dir/tests" || exit 1
cat >order_test.c <<'END'
#include <runnel.h>
#include <runnel/test.h>
#include <string.h>

#define await(...)          \
    do {                    \
        rn_waitgroup wg = {0}; \
        wg_go(&wg, __VA_ARGS__); \
        wg_wait(&wg); \
    } while (0)

static rn_mutex a, b, gate;
static rn_rwmutex r, q;

static void both(rn_mutex *first, rn_mutex *second)
{
    mutex_lock(first);
    mutex_lock(second);
    mutex_unlock(second);
    mutex_unlock(first);
}
static void gated(rn_mutex *first, rn_mutex *second)
{
    mutex_lock(&gate);
    both(first, second);
    mutex_unlock(&gate);
}
static void in_turn(void (*f)(rn_mutex *, rn_mutex *))
{
    await(f, &a, &b);
    await(f, &b, &a);
}
TEST(inverted)
{
    in_turn(both);
}
TEST(same)
{
    both(&a, &b);
    both(&a, &b);
}
TEST(under_a_gate)
{
    in_turn(gated);
}
TEST(twice)
{
    mutex_lock(&a);
    mutex_lock(&a);
    mutex_unlock(&a);
}
static void reads(rn_rwmutex *x, rn_rwmutex *y)
{
    rwmutex_rlock(x);
    rwmutex_rlock(y);
    rwmutex_runlock(y);
    rwmutex_runlock(x);
}
static void read_in_turn(void)
{
    await(reads, &r, &q);
    await(reads, &q, &r);
}
TEST(readers_alone)
{
    read_in_turn();
}
TEST(readers_and_a_writer)
{
    rwmutex_lock(&r);
    rwmutex_unlock(&r);
    rwmutex_lock(&q);
    rwmutex_unlock(&q);
    read_in_turn();
}
TEST(readers_before_the_writers)
{
    read_in_turn();
    rwmutex_lock(&r);
    rwmutex_unlock(&r);
    rwmutex_lock(&q);
    rwmutex_unlock(&q);
}
TEST(readers_before_a_writer_of_one)
{
    read_in_turn();
    rwmutex_lock(&q);
    rwmutex_unlock(&q);
}
static void let_go(rn_mutex *m)
{
    mutex_unlock(m);
}
TEST(handed_over)
{
    mutex_lock(&a);
    await(let_go, &a);
    mutex_lock(&a);
    go(let_go, &a);
    mutex_lock(&a); /* it is known by now that others let it go */
    mutex_unlock(&a);
}
static void let_go_later(rn_mutex *m, chan(int) when)
{
    int v;
    chan_next(when, &v);
    mutex_unlock(m);
}
TEST(signal)
{
    chan(int) when = chan_make(int, 0);
    rn_mutex local = {0};
    rn_mutex *locks[] = {&a, &local};
    for (int i = 0; i < 2; i++) {
        rn_mutex *m = locks[i];
        mutex_lock(m);
        go(let_go_later, m, when);
        go(let_go_later, &b, when); /* another, which has nothing to do with it */
        mutex_lock(&b);
        chan_send(when, 1);
        chan_send(when, 1);
        mutex_lock(m); /* the first time that another lets it go */
        mutex_unlock(m);
    }
    chan_free(when);
}
static void let_read_go(rn_rwmutex *x)
{
    rwmutex_runlock(x);
}
TEST(read_locks_handed_over)
{
    rwmutex_lock(&r);
    rwmutex_unlock(&r);
    rwmutex_rlock(&r);
    rwmutex_rlock(&r);
    await(let_read_go, &r);
    await(let_read_go, &r);
}
TEST(upgraded)
{
    rwmutex_rlock(&r);
    rwmutex_lock(&r);
}
TEST(tried)
{
    mutex_lock(&a);
    if (mutex_try_lock(&b))
        mutex_unlock(&b);
    mutex_unlock(&a);
    await(both, &b, &a);
}

static void three(rn_mutex *x, rn_mutex *y)
{
    both(x, y);
}
TEST(a_cycle_of_three)
{
    await(three, &a, &b);
    await(three, &b, &gate);
    await(three, &gate, &a);
}
TEST(one_goroutine_alone)
{
    both(&a, &b);
    both(&b, &a);
}
TEST(other_locks_in_the_same_memory)
{
    await(both, &a, &b);
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    await(both, &b, &a);
}
static void writes_once(void)
{
    rwmutex_lock(&r);
    rwmutex_unlock(&r);
}
static void reads_twice(void)
{
    rwmutex_rlock(&r);
    rwmutex_rlock(&r);
    rwmutex_runlock(&r);
    rwmutex_runlock(&r);
}
TEST(read_twice_with_a_writer)
{
    await(writes_once);
    reads_twice();
}
TEST(read_twice_before_a_writer)
{
    reads_twice();
    await(writes_once);
}
TEST(read_twice_by_the_only_writer)
{
    writes_once();
    reads_twice();
    writes_once();
}
TEST(with_a_context)
{
    mutex_lock(&a);
    CHECK_EQ(rn_mutex_lock_ctx(NULL, &b), 0);
    mutex_unlock(&b);
    mutex_unlock(&a);
    await(both, &b, &a);
}
END
cat >held.c <<'END'
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <pthread.h>
#include <runnel.h>
#include <stdlib.h>

struct beginning {
    void *(*f)(void *);
    void *arg;
};

static void *begin_late(void *v)
{
    struct beginning b = *(struct beginning *)v;
    rn_time late = rn_now() + 100 * RN_MILLISECOND;
    free(v);
    while (rn_now() < late)
        sched_yield();
    return b.f(b.arg);
}

/* A machine on which threads take their time to begin. */
int pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*f)(void *), void *arg)
{
    __typeof__(&pthread_create) create = (__typeof__(create))(uintptr_t)dlsym(RTLD_NEXT, "pthread_create");
    struct beginning *b;
    if (!getenv("THREADS_BEGIN_LATE") || !(b = malloc(sizeof *b)))
        return create(t, attr, f, arg);
    *b = (struct beginning){f, arg};
    return create(t, attr, begin_late, b);
}

static void keeps(rn_mutex *m, chan(int) told)
{
    mutex_lock(m);
    chan_send(told, 1);
}

static void wants(rn_mutex *m)
{
    mutex_lock(m);
    mutex_unlock(m);
}

static rn_mutex m;

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) told = chan_make(int, 0);
    go(keeps, &m, told);
    chan_recv(told);
    go(wants, &m);
    return 0;
}
END
cat >asleep.c <<'END'
#include <runnel.h>

static rn_mutex a, b;
static rn_rwmutex rw;
static rn_waitgroup wg, met;

static void cross(rn_mutex *x, rn_mutex *y)
{
    mutex_lock(x);
    wg_done(&met);
    wg_wait(&met);
    mutex_lock(y);
}

static void reads_twice(void)
{
    rwmutex_rlock(&rw);
    rn_sleep(20 * RN_MILLISECOND);
    rwmutex_rlock(&rw);
}

static void writes(void)
{
    rn_sleep(10 * RN_MILLISECOND);
    rwmutex_lock(&rw);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    wg_add(&met, 2);
    wg_go(&wg, cross, &a, &b);
    wg_go(&wg, cross, &b, &a);
    wg_go(&wg, reads_twice);
    wg_go(&wg, writes);
    wg_wait(&wg);
    return 0;
}
END
cat >again.c <<'END'
#include <runnel.h>
#include <stdlib.h>
#include <string.h>

struct part {
    rn_mutex m;
    rn_rwmutex rw;
};

static void visit(struct part *p, bool again)
{
    mutex_lock(&p->m);
    if (again)
        mutex_lock(&p->m);
    mutex_unlock(&p->m);
}

static void upgrade(struct part *p, bool again)
{
    rwmutex_rlock(&p->rw);
    if (again)
        rwmutex_lock(&p->rw);
    rwmutex_runlock(&p->rw);
}

static void downgrade(struct part *p, bool again)
{
    rwmutex_lock(&p->rw);
    if (again)
        rwmutex_rlock(&p->rw);
    rwmutex_unlock(&p->rw);
}

static void write_it(struct part *p)
{
    rwmutex_lock(&p->rw);
    rwmutex_unlock(&p->rw);
}

static void read_between(struct part *p, bool again)
{
    rwmutex_rlock(&p->rw);
    if (again) {
        go(write_it, p);
        while (rwmutex_try_rlock(&p->rw)) { /* until the writer waits */
            rwmutex_runlock(&p->rw);
            rn_yield();
        }
        rwmutex_rlock(&p->rw);
    }
    rwmutex_runlock(&p->rw);
}

static struct part *known[2]; /* to all who may yet run */

int rn_main(int argc, char **argv)
{
    const char *how = argv[1];
    void (*f)(struct part *p, bool again) = strcmp(how, "visit") == 0     ? visit
                                            : strcmp(how, "upgrade") == 0 ? upgrade
                                            : strcmp(how, "read") == 0    ? read_between
                                                                          : downgrade;
    known[0] = calloc(1, sizeof *known[0]);
    known[1] = argc > 2 ? calloc(1, sizeof *known[1]) : known[0];
    rn_waitgroup wg = {0};
    wg_go(&wg, f, known[0], false);
    wg_wait(&wg);
    go(f, known[1], true);
    for (;;)
        rn_sleep(RN_MILLISECOND);
}
END
cat >brief.c <<'END'
#include <runnel.h>

static rn_mutex m, more;

static void twice(chan(int) told)
{
    mutex_lock(&m);
    chan_send(told, 1);
    mutex_lock(&m);
}

static void signals(chan(int) told)
{
    mutex_lock(&more);
    chan_send(told, 1);
    mutex_lock(&more); /* main's end comes before it is let go, but it will be */
}

static void gives(void)
{
    for (;;) {
        rn_sleep(RN_MILLISECOND);
        if (more.rn_state == 77)
            mutex_unlock(&more);
    }
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    chan(int) told = chan_make(int, 0);
    go(argc > 1 ? signals : twice, told);
    if (argc > 1)
        go(gives);
    chan_recv(told);
    while (!((argc > 1 ? more : m).rn_state & 2)) /* until it waits */
        rn_yield();
    return 0;
}
END
cat >graph.c <<'END'
#include <runnel.h>
#include <runnel/debug.h>
#include <stdio.h>

static rn_mutex a, b;
static rn_rwmutex rw;
static rn_waitgroup both;

static void cross(rn_mutex *first, rn_mutex *second)
{
    mutex_lock(first);
    wg_done(&both);
    wg_wait(&both);
    mutex_lock(second);
}

static void tick(void)
{
    for (;;)
        rn_sleep(RN_MILLISECOND);
}

static int ask(void)
{
    int n;
    while ((n = rn_debug_find_leaks(NULL, 0)) < 0)
        rn_yield();
    return n;
}

static void read_twice(chan(int) told)
{
    rwmutex_rlock(&rw);
    chan_send(told, 1);
    chan_send(told, 1);
    rwmutex_rlock(&rw); /* behind the writer, who gives up */
    rwmutex_runlock(&rw);
    rwmutex_runlock(&rw);
    chan_send(told, 1);
}

static void give_up(rn_context *ctx, chan(int) told)
{
    if (rn_rwmutex_lock_ctx(ctx, &rw) == RN_ECANCELED)
        chan_send(told, 1);
}

static int live(void)
{
    chan(int) told = chan_make(int, 0), gone = chan_make(int, 0);
    rn_context *ctx = ctx_with_cancel(NULL);
    int n = 0;
    go(read_twice, told);
    chan_recv(told);
    go(give_up, ctx, gone);
    while (rwmutex_try_rlock(&rw)) { /* until the writer waits */
        rwmutex_runlock(&rw);
        rn_yield();
    }
    chan_recv(told);
    for (int i = 0; i < 20; i++)
        n += ask();
    ctx_cancel(ctx);
    chan_recv(gone);
    chan_recv(told);
    return n;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    int n = 0;
    mutex_lock(&a);
    mutex_lock(&b);
    mutex_unlock(&b);
    mutex_unlock(&a);
    rwmutex_rlock(&rw);
    rwmutex_runlock(&rw);
    go(tick);
    printf("live: %d\n", live());
    wg_add(&both, 2);
    go(cross, &a, &b);
    go(cross, &b, &a);
    for (rn_time start = rn_now(); n < 2 && rn_since(start) < 20 * RN_SECOND; n = ask())
        rn_sleep(RN_MILLISECOND);
    printf("stuck: %d\n", n);
    return 0;
}
END
"$RUNNEL" test >out 2>&1
says() {
    grep -E "$1" out || { cat out && false; }
}
for name in inverted a_cycle_of_three twice upgraded readers_and_a_writer readers_before_the_writers read_twice_with_a_writer read_twice_before_a_writer with_a_context; do
    check "$name fails" says "^not ok .*order_test: $name "
done
for name in same under_a_gate readers_alone readers_before_a_writer_of_one handed_over signal read_locks_handed_over tried one_goroutine_alone read_twice_by_the_only_writer other_locks_in_the_same_memory; do
    check "$name is fine" says "^ok .*order_test: $name "
done
check "the test that fails names the reason" says 'inverted takes locks in an order that can deadlock'
check "both places" says 'both \(.*order_test.c:[0-9]+\)'
check "where they were started within an inlined function, too" eval "! grep '^, started by' out"
check "who started them" says 'goroutine [0-9]+, started by in_turn \(.*order_test.c:[0-9]+\)'
check "three locks" says 'runnel: lock order: 3 locks are taken in orders that can deadlock'
check "a lock taken twice is fatal" says '.*twice.*fatal error: sync: goroutine [0-9]+ locks a mutex that it holds already'
check "and a read lock that is to become a write lock" says '.*upgraded.*fatal error: sync: goroutine [0-9]+ locks a mutex'
off() {
    RUNNEL_LOCKORDER=0 "$RUNNEL" test -run inverted | grep -x '# 1 passed, 0 failed'
}
check "RUNNEL_LOCKORDER=0 turns it off" off
holder() { # SETTING PATTERN
    status=0
    # shellcheck disable=SC2086 # a list of settings
    env $1 RUNNEL_LEAKS=1 "$RUNNEL" run held.c >held.out 2>&1 || status=$?
    cat held.out
    [ $status = 3 ] && grep -E "$2" held.out
}
for setting in RUNNEL_LOCKORDER=1 RUNNEL_LEAKS=1; do
    check "a leak says who holds the lock ($setting)" holder $setting \
        'held by goroutine [0-9]+, taken in keeps \(.*held.c:[0-9]+\), started by rn_main \(.*held.c:[0-9]+\)'
done
check "also where threads take their time to begin" holder "RUNNEL_LEAKS=1 THREADS_BEGIN_LATE=1" 'taken in keeps'
check "or how to know" holder RUNNEL_LOCKORDER=0 'RUNNEL_LOCKORDER=1 shows who holds it'
asleep() { # SETTING PATTERN…
    env "$1" "$RUNNEL" run asleep.c >asleep.out 2>&1
    [ $? = 2 ] || return 1
    shift
    for pattern; do
        sed -n '/^fatal error: all goroutines/,$p' asleep.out | grep -E "$pattern" || { cat asleep.out && return 1; }
    done
}
for setting in RUNNEL_LOCKORDER=1 RUNNEL_LEAKS=1; do
    check "so does a deadlock ($setting)" asleep $setting \
        'waits for lock 0x[0-9a-f]+, held by goroutine [0-9]+, taken in cross \(.*asleep.c:[0-9]+\), started by rn_main \(' \
        'held by goroutine [0-9]+, which is this one, taken in reads_twice' 'held by goroutine [0-9]+, taken in reads_twice' \
        '^goroutines [0-9]+ and [0-9]+ wait for one another, each for a lock that the next one holds$'
done
check "or how to know" asleep RUNNEL_LOCKORDER=0 'waits for lock 0x[0-9a-f]+ \(RUNNEL_LOCKORDER=1 shows who holds it\)'
"$RUNNEL" build again.c -o again && "$RUNNEL" build brief.c -o brief || exit 1
# The program goes on, with others who might let it go; the first words about it are those of a lock whose past is known.
at_once() { # TEXT ARGUMENT…
    text=$1
    shift
    : >again.out
    RUNNEL_LOCKORDER=1 ./again "$@" >/dev/null 2>again.out &
    for _ in $(seq 600); do
        [ -s again.out ] && grep -q 'look first' again.out && break
        sleep 0.05
    done
    kill $! && wait $!
    cat again.out
    head -n 1 again.out | grep -F "$text"
}
itself='a lock that it holds already, and waits for itself: it was always the holder who let it go'
for how in visit upgrade downgrade; do
    check "a lock with a past, taken twice ($how), is reported at once" at_once "$itself" $how
    check "or one that was taken at the same place ($how)" at_once "$itself" $how another
done
check "so is a second read lock behind a writer" at_once 'a read lock twice' read
# Who asks for leaks is told of no orders.
cat >asked.c <<'END'
#include <runnel.h>
static rn_rwmutex r;
static void reads_twice(void)
{
    rwmutex_rlock(&r);
    rwmutex_rlock(&r);
    rwmutex_runlock(&r);
    rwmutex_runlock(&r);
}
int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    rwmutex_lock(&r);
    rwmutex_unlock(&r);
    wg_go(&wg, reads_twice);
    wg_wait(&wg);
    return 0;
}
END
check "orders are told to who asks for them" eval "RUNNEL_LOCKORDER=1 \"\$RUNNEL\" run asked.c 2>&1 | grep 'a read lock twice'"
check "not to who asks for leaks" eval "[ -z \"\$(RUNNEL_LEAKS=1 \"\$RUNNEL\" run asked.c 2>&1)\" ]"
by_the_graph() {
    "$RUNNEL" build graph.c -o graph || return 1
    RUNNEL_LEAKS=1 ./graph 2>/dev/null >graph.out
    cat graph.out
    grep -x 'stuck: 2' graph.out && grep -x 'live: 0' graph.out
}
check "holders decide about static locks, while others run (RUNNEL_LEAKS=1)" by_the_graph
at_the_end() {
    RUNNEL_LOCKORDER=1 ./brief "$@" 2>&1 | cat
}
check "what has not lasted yet is said at the end" eval "at_the_end | grep 'when main has returned a goroutine waits for a lock that it holds itself'"
check "not of a signal that may still come" eval "[ -z \"\$(at_the_end signal)\" ]"
finish
