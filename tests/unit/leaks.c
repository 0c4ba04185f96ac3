/* rn_debug_leaks: who is reported, and above all who is not. */
#define _GNU_SOURCE 1
#include "../emulated.h"
#include <pthread.h>
#include <runnel.h>
#include <runnel/fd.h>
#include <runnel/test.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

#ifdef __has_feature
#define SANITIZER(name) __has_feature(name##_sanitizer)
#else
#define SANITIZER(name) 0
#endif

/* AddressSanitizer has a heap and stacks of its own: there the answer is always RN_EAGAIN. */
static void skip_under_asan(void)
{
    skip_when_emulated();
#if defined(__SANITIZE_ADDRESS__) || SANITIZER(address)
    rn_test_skip("not under AddressSanitizer");
#endif
}

/* In ThreadSanitizer's heap no block can be told from another: little is found. */
static void skip_under_sanitizers(void)
{
    skip_under_asan();
#if defined(__SANITIZE_THREAD__) || SANITIZER(thread)
    rn_test_skip("not under ThreadSanitizer");
#endif
}

/* Asks until there is an answer: on a busy machine a thread may take too long to stand still. */
static int find(rn_leak *leaks, int max)
{
    int n;
    while ((n = rn_debug_find_leaks(leaks, max)) == RN_EAGAIN)
        rn_yield();
    return n;
}

/* How many goroutines wait for good, once all that were started have come to their wait. */
static int leaks_within(int looks, int expected)
{
    skip_under_sanitizers();
    int n = -1;
    for (int i = 0; i < looks && n < expected; i++) {
        rn_yield();
        n = find(NULL, 0);
        if (n < expected)
            rn_sleep(RN_MILLISECOND);
    }
    return n;
}

static int leaks_when_settled(int expected)
{
    return leaks_within(500, expected);
}

/* The same where nobody must be found: after `waiting` goroutines have parked. */
static rn_atomic(int) arrived;
static void wait_until_parked(int n)
{
    skip_under_asan();
    while (arrived < n)
        rn_sleep(RN_MILLISECOND);
    rn_sleep(5 * RN_MILLISECOND); /* from the count to the park; later is harmless: a runnable one is live */
}

static void receive(chan(int) c)
{
    arrived++;
    chan_recv(c);
}

static void send(chan(int) c)
{
    arrived++;
    chan_send(c, 1);
}

/* What a function leaves in its registers and on the stack would keep the channel alive. */
static NOINLINE void clear_stack(void)
{
    char junk[4096];
    memset(junk, 0, sizeof junk);
    __asm__ volatile("" : : "r"(junk) : "memory");
}

static NOINLINE void leak_senders(int n)
{
    for (int i = 0; i < n; i++) {
        chan(int) c = chan_make(int, 0);
        go(send, c);
    }
}

TEST(a_channel_that_only_its_waiter_knows)
{
    leak_senders(3);
    clear_stack();
    CHECK_EQ(leaks_when_settled(3), 3);
}

struct job {
    rn_waitgroup done;
    rn_mutex mu;
    rn_cond cond;
    chan(int) results;
    char padding[100];
};

static void wait_for_group(struct job *j)
{
    arrived++;
    wg_wait(&j->done);
}

static void wait_for_cond(struct job *j)
{
    mutex_lock(&j->mu);
    arrived++;
    cond_wait(&j->cond, &j->mu);
    mutex_unlock(&j->mu);
}

static void wait_inside(struct job *j)
{
    arrived++;
    chan_recv(j->results);
}

static NOINLINE void leak_jobs(void)
{
    struct job *j = calloc(1, sizeof *j), *k = calloc(1, sizeof *k), *l = calloc(1, sizeof *l);
    wg_add(&j->done, 1);
    go(wait_for_group, j);
    go(wait_for_cond, k);
    l->results = chan_make(int, 0);
    go(wait_inside, l);
}

TEST(objects_in_memory_that_was_dropped)
{
    leak_jobs();
    clear_stack();
    CHECK_EQ(leaks_when_settled(3), 3);
}

static void use(struct job *j)
{
    arrived++;
    rn_sleep(RN_HOUR);
    chan_send(j->results, 1);
    cond_signal(&j->cond);
    wg_done(&j->done);
}

static NOINLINE void start_used_jobs(void)
{
    struct job *j = calloc(1, sizeof *j);
    wg_add(&j->done, 1);
    j->results = chan_make(int, 0);
    go(wait_for_group, j);
    go(wait_for_cond, j);
    go(wait_inside, j);
    go(use, j);
}

TEST(a_sleeper_keeps_what_it_will_touch_alive)
{
    start_used_jobs();
    clear_stack();
    wait_until_parked(4);
    CHECK_EQ(find(NULL, 0), 0);
}

static chan(int) global;

TEST(what_a_global_names_is_alive)
{
    global = chan_make(int, 0);
    go(receive, global);
    wait_until_parked(1);
    CHECK_EQ(find(NULL, 0), 0);
    chan_send(global, 1);
}

/* Where a program keeps what it has sealed: in a mapping, among the variables that have values from the start, and among the
 * zeroed ones; and what lies behind those. */
static chan(int) * sealed_mapping;
static char sealed_data[8192] __attribute__((aligned(4096))) = "not zero";
static char sealed_zeroes[8192] __attribute__((aligned(4096)));
static char behind_zeroes[1 << 16] __attribute__((aligned(4096)));

static NOINLINE void seal(chan(int) * at)
{
    *at = chan_make(int, 0);
    go(receive, *at);
    mprotect(at, 4096, PROT_READ);
}

static NOINLINE void release_sealed(chan(int) * at)
{
    chan_send(*at, 1);
    mprotect(at, 4096, PROT_READ | PROT_WRITE);
}

TEST(what_memory_names_that_may_only_be_read_is_alive)
{
    sealed_mapping = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    chan(int) * at[] = {sealed_mapping, (chan(int) *)(void *)sealed_data, (chan(int) *)(void *)sealed_zeroes};
    chan(int) *behind = (chan(int) *)(void *)(behind_zeroes + sizeof behind_zeroes / 2);
    for (int i = 0; i < 3; i++)
        seal(at[i]);
    *behind = chan_make(int, 0);
    go(receive, *behind);
    clear_stack();
    wait_until_parked(4);
    CHECK_EQ(find(NULL, 0), 0);
    for (int i = 0; i < 3; i++)
        release_sealed(at[i]);
    chan_send(*behind, 1);
    munmap(sealed_mapping, 8192);
}

TEST(what_a_local_of_a_live_function_names_is_alive)
{
    chan(int) c = chan_make(int, 0);
    struct job on_stack = {.results = chan_make(int, 0)};
    rn_waitgroup left = RN_WAITGROUP_INIT;
    wg_add(&on_stack.done, 1);
    go(receive, c);
    go(wait_inside, &on_stack);
    wg_go(&left, wait_for_group, &on_stack);
    wait_until_parked(3);
    CHECK_EQ(find(NULL, 0), 0);
    chan_send(c, 1);
    chan_send(on_stack.results, 1);
    wg_done(&on_stack.done);
    wg_wait(&left); /* it has a look at the group when it is woken */
}

static void wait_for_context(rn_context *ctx)
{
    arrived++;
    (void)ctx_wait(ctx);
}

static void wait_for_either(rn_context *ctx, chan(int) c)
{
    arrived++;
    chan_select(on_recv(c, NULL), on_done(ctx));
}

static NOINLINE rn_context *start_contexts(void)
{
    rn_context *parent = ctx_with_cancel(NULL);
    rn_context *child = ctx_with_cancel(parent), *lost = ctx_with_cancel(NULL),
               *timed = ctx_with_timeout(NULL, RN_HOUR);
    go(wait_for_context, child);
    go(wait_for_either, child, chan_make(int, 0));
    go(wait_for_context, timed);
    go(wait_for_context, lost);
    return parent;
}

TEST(a_context_is_alive_while_somebody_can_cancel_it_or_time_will)
{
    rn_context *parent = start_contexts();
    clear_stack();
    CHECK_EQ(leaks_when_settled(1), 1);
    rn_leak leak[4];
    CHECK_EQ(find(leak, 4), 1);
    CHECK_STR(leak[0].state, "context done");
    memset(leak, 0, sizeof leak); /* it names the context */
    clear_stack();
    ctx_cancel(parent);
    CHECK_EQ(leaks_when_settled(1), 1);
}

static void select_two(chan(int) a, chan(int) b)
{
    int v;
    arrived++;
    chan_select(on_recv(a, &v), on_recv(b, &v));
}

static void select_timeout(chan(int) a)
{
    int v;
    arrived++;
    chan_select(on_recv(a, &v), on_timeout(RN_HOUR));
}

static NOINLINE void start_selects(void)
{
    go(select_two, chan_make(int, 0), global);
    go(select_two, chan_make(int, 0), chan_make(int, 0));
    go(select_timeout, chan_make(int, 0));
}

TEST(a_select_needs_all_its_cases_dead)
{
    global = chan_make(int, 0);
    start_selects();
    clear_stack();
    CHECK_EQ(leaks_when_settled(1), 1);
}

static void relay(chan(int) from, chan(int) to)
{
    arrived++;
    chan_send(to, chan_recv(from));
}

static NOINLINE chan(int) start_chain(int n, bool dead)
{
    chan(int) first = chan_make(int, 0), from = first;
    for (int i = 0; i < n; i++) {
        chan(int) to = chan_make(int, 0);
        go(relay, from, to);
        from = to;
    }
    go(receive, from);
    return dead ? NULL : first;
}

TEST(a_chain_is_as_alive_as_its_head)
{
    chan(int) volatile head = start_chain(300, false);
    clear_stack();
    wait_until_parked(301);
    CHECK_EQ(find(NULL, 0), 0);
    /* An old word somewhere may keep what is behind it in a chain alive. */
    bool found = false;
    for (int i = 1; i <= 20 && !found; i++) {
        start_chain(300, true);
        clear_stack();
        wait_until_parked(301 * (i + 1));
        found = leaks_within(5, 100) >= 100;
    }
    CHECK(found);
    chan_send(head, 1);
}

static void *hold_in_thread(void *arg)
{
    chan(int) c = *(chan(int) *)arg;
    *(chan(int) *)arg = NULL;
    for (int i = 0; i < 300; i++)
        rn_sleep(RN_MILLISECOND);
    chan_send(c, 1);
    return NULL;
}

static NOINLINE pthread_t start_thread(chan(int) * slot)
{
    pthread_t t;
    *slot = chan_make(int, 0);
    go(receive, *slot);
    pthread_create(&t, NULL, hold_in_thread, slot);
    return t;
}

TEST(a_plain_thread_keeps_what_it_has_alive)
{
    chan(int) *slot = malloc(sizeof *slot);
    pthread_t t = start_thread(slot);
    clear_stack();
    wait_until_parked(1);
    CHECK_EQ(find(NULL, 0), 0);
    pthread_join(t, NULL);
    free(slot);
}

static void fire(void *c)
{
    chan_send((chan(int))c, 1);
}

static NOINLINE void start_after(void)
{
    chan(int) c = chan_make(int, 0);
    go(receive, c);
    rn_after_func(NULL, RN_HOUR, fire, c);
    go(send, chan_make(int, 0)); /* the one that is leaked */
}

TEST(a_pending_timer_keeps_its_argument_alive)
{
    start_after();
    clear_stack();
    CHECK_EQ(leaks_when_settled(1), 1);
}

TEST(a_nil_channel_is_never_ready)
{
    go(receive, NULL);
    CHECK_EQ(leaks_when_settled(1), 1);
}

static chan(int) never_made;

static void receive_without_end(void)
{
    (void)!chan_recv_ctx(NULL, never_made, NULL);
}

static void send_without_end(void)
{
    (void)!chan_send_ctx(ctx_background(), never_made, 1);
}

static void select_without_end(void)
{
    chan_select(on_recv(never_made, NULL), on_send(never_made, 1), on_done(NULL));
}

static void select_until_later(void)
{
    chan_select(on_recv(never_made, NULL), on_timeout(RN_HOUR));
}

static void select_descriptor(int fd)
{
    chan_select(on_recv(never_made, NULL), on_fd(fd, RN_FD_READ));
}

static void ask_for_too_much(void)
{
    static rn_semaphore two = RN_SEMAPHORE_INIT(2);
    sem_acquire(NULL, &two, 3);
}

TEST(who_stands_in_no_queue_is_never_woken)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    go(select_until_later);
    go(select_descriptor, ends[0]);
    go(receive_without_end);
    go(send_without_end);
    go(select_without_end);
    go(ask_for_too_much);
    CHECK_EQ(leaks_when_settled(4), 4);
}

static void run_and_stop(void)
{
    arrived++;
    rn_sleep(20 * RN_MILLISECOND);
}

static void scoped(void)
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_go(&s, run_and_stop);
    CHECK_EQ(scope_end(&s), 0);
}

TEST(a_scope_waits_for_what_lives)
{
    rn_waitgroup all = {0};
    skip_under_asan();
    for (int i = 0; i < 20; i++)
        wg_go(&all, scoped);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(find(NULL, 0), 0);
    wg_wait(&all);
}

/* Everything on the move: whoever is looked at in the middle of a hand-over is alive. */
/* Each round costs a copy of the process; ThreadSanitizer's is large. */
#if defined(__SANITIZE_THREAD__) || SANITIZER(thread)
enum { ROUNDS = 10 };
#else
enum { ROUNDS = 25 };
#endif
static rn_atomic(bool) over;
static void ping(chan(int) in, chan(int) out)
{
    int v;
    while (chan_next(in, &v) && !over)
        chan_send(out, v + 1);
    chan_close(out);
}

TEST(nobody_is_reported_while_values_change_hands)
{
    rn_waitgroup all = {0};
    skip_under_asan();
    for (int i = 0; i < 4; i++) {
        chan(int) a = chan_make(int, 0), b = chan_make(int, 0);
        wg_go(&all, ping, a, b);
        wg_go(&all, ping, b, a);
        chan_send(a, 1);
    }
    for (int i = 0; i < ROUNDS; i++)
        CHECK_EQ(find(NULL, 0), 0);
    over = true;
    wg_wait(&all);
}

static void branch(int depth, rn_waitgroup *up)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; depth > 0 && i < 2; i++) {
        wg_add(&wg, 1);
        go(branch, depth - 1, &wg);
    }
    wg_wait(&wg);
    wg_done(up);
}

static void grow(rn_waitgroup *up)
{
    while (!over) {
        rn_waitgroup wg = RN_WAITGROUP_INIT;
        wg_add(&wg, 1);
        go(branch, 6, &wg);
        wg_wait(&wg);
    }
    wg_done(up);
}

/* Goroutines that begin and end: a thread may stand on the stack of one that has ended. */
TEST(nobody_is_reported_while_trees_fork_and_join)
{
    rn_waitgroup all = RN_WAITGROUP_INIT;
    skip_under_asan();
    wg_add(&all, 2);
    go(grow, &all);
    go(grow, &all);
    for (int i = 0; i < 4 * ROUNDS; i++)
        CHECK_EQ(find(NULL, 0), 0);
    over = true;
    wg_wait(&all);
}

/* ---- a signal that is handled on a stack of its own ------------------------------------------------- */

static rn_atomic(bool) handling, handled;
static void handle(int signo)
{
    (void)signo;
    handling = true;
    while (!handled)
        continue;
}

static chan(int) of_the_handler;
static void fill_stack(int signo)
{
    chan(int) words[1024];
    (void)signo;
    for (int i = 0; i < 1024; i++)
        words[i] = of_the_handler;
    __asm__ volatile("" : : "r"(words) : "memory");
}

/* Hidden from the search in any other way: the static variable is cleared. */
static NOINLINE void leak_behind_a_handler(void)
{
    struct sigaction a = {.sa_handler = fill_stack, .sa_flags = SA_ONSTACK}, before;
    of_the_handler = chan_make(int, 0);
    go(receive, of_the_handler);
    sigaction(SIGUSR1, &a, &before);
    raise(SIGUSR1);
    sigaction(SIGUSR1, &before, NULL);
    of_the_handler = NULL;
}

TEST(what_a_signal_left_on_its_stack_is_no_way)
{
    leak_behind_a_handler();
    clear_stack();
    CHECK_EQ(leaks_when_settled(1), 1);
}

/* ---- a thread that sleeps -------------------------------------------------------------------------- */

static uintptr_t complement; /* of the address, which is nowhere else */
static rn_atomic(bool) elsewhere;

static NOINLINE void leak_behind_a_vector(void)
{
    chan(int) c = chan_make(int, 0);
    go(receive, c);
    complement = ~(uintptr_t)c;
}

static inline void fill_vector(void)
{
#if defined(__x86_64__)
    __asm__ volatile("movq %0, %%rax\n\tnotq %%rax\n\tmovq %%rax, %%xmm15\n\txorl %%eax, %%eax"
                     :
                     : "m"(complement)
                     : "rax", "xmm15", "cc");
#else
    rn_test_skip("another processor"); /* whose calls keep some of them */
#endif
}

/* Stays on its thread. */
static void ask_elsewhere(int *n)
{
    elsewhere = true;
    for (int i = 0; i < 100 && *n == 0; i++) {
        usleep(1000);
        *n = find(NULL, 0);
    }
}

/* The thread that called rn_run, where this goroutine was the last. */
TEST(what_is_in_a_vector_register_of_a_sleeping_thread_is_no_way)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    int n = 0;
    skip_under_sanitizers();
    rn_set_procs(2);
    if (gettid() != getpid())
        rn_test_skip("this thread is not the first");
    leak_behind_a_vector();
    clear_stack();
    wg_go(&wg, ask_elsewhere, &n);
    while (!elsewhere)
        continue;
    fill_vector();
    wg_wait(&wg);
    CHECK_EQ(n, 1);
}

/* Right above the mapping that address is in, so that the kernel joins the two; anywhere where that is not free. */
static void *map_beside(const void *address, size_t bytes)
{
    unsigned long from = 0, to = 0;
    char line[512];
    FILE *f = fopen("/proc/self/maps", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "%lx-%lx", &from, &to) == 2 && (uintptr_t)address >= from && (uintptr_t)address < to)
            break;
    if (f)
        fclose(f);
    void *p = mmap((void *)to, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p != MAP_FAILED)
        madvise(p, bytes, MADV_NOHUGEPAGE); /* as the stacks are */
    return p;
}

static void be_interrupted(rn_waitgroup *wg)
{
    enum { BYTES = 64 << 10 };
    stack_t before, beside = {.ss_size = BYTES};
    rn_pin();
    beside.ss_sp = map_beside(&beside, BYTES);
    CHECK_EQ(sigaltstack(&beside, &before), 0);
    pthread_kill(pthread_self(), SIGUSR1);
    CHECK_EQ(sigaltstack(&before, NULL), 0);
    munmap(beside.ss_sp, BYTES);
    rn_unpin();
    wg_done(wg);
}

static void wait_for_interrupted(rn_waitgroup *all)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, 1);
    go(be_interrupted, &wg);
    wg_wait(&wg);
    wg_done(all);
}

TEST(nobody_is_reported_while_a_signal_is_handled_beside_the_stacks)
{
    struct sigaction a = {.sa_handler = handle, .sa_flags = SA_ONSTACK}, before;
    rn_waitgroup all = RN_WAITGROUP_INIT;
    skip_under_sanitizers();
    rn_set_procs(2);
    sigaction(SIGUSR1, &a, &before);
    wg_add(&all, 1);
    go(wait_for_interrupted, &all);
    while (!handling)
        rn_yield();
    CHECK_EQ(find(NULL, 0), 0);
    handled = true;
    wg_wait(&all);
    sigaction(SIGUSR1, &before, NULL);
}
