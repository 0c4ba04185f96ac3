/* What a pinned goroutine, or a plain thread, has changed about its own thread (here: its nice value, which threads get from who
 * starts them) does not come to other goroutines by the workers that are started on its behalf.  In a file of its own, with more
 * processors in each test: where enough workers exist none is started. */
#include <runnel.h>
#include <runnel/test.h>
#include <pthread.h>
#include <sys/resource.h>

enum { EACH = 10, GOROUTINES = 12 }; /* ms that each computes */

static int nice_here(void)
{
    return getpriority(PRIO_PROCESS, 0); /* of this thread */
}

static void compute(rn_waitgroup *wg, int as_before)
{
    for (rn_time start = rn_now(); rn_since(start) < EACH * RN_MILLISECOND;)
        CHECK_EQ(nice_here(), as_before);
    wg_done(wg);
}

static void start_all(rn_waitgroup *wg, int as_before)
{
    for (int i = 0; i < GOROUTINES; i++)
        go(compute, wg, as_before);
}

static void *thread(void *arg)
{
    int as_before = nice_here();
    CHECK_EQ(setpriority(PRIO_PROCESS, 0, as_before + 1), 0);
    start_all(arg, as_before);
    return NULL;
}

TEST(by_a_plain_thread)
{
    rn_set_procs(4);
    rn_waitgroup computing = RN_WAITGROUP_INIT;
    wg_add(&computing, GOROUTINES);
    pthread_t t;
    CHECK_EQ(pthread_create(&t, NULL, thread, &computing), 0);
    pthread_join(t, NULL); /* first: this worker does not start the others */
    wg_wait(&computing);
}

static void pinned(rn_waitgroup *ended)
{
    int as_before = nice_here();
    rn_pin();
    CHECK_EQ(setpriority(PRIO_PROCESS, 0, as_before + 1), 0);
    rn_waitgroup computing = RN_WAITGROUP_INIT;
    wg_add(&computing, GOROUTINES);
    start_all(&computing, as_before);
    wg_wait(&computing);
    wg_done(ended); /* its thread goes back as it is: nothing may come after this test */
}

TEST(by_a_pinned_goroutine)
{
    rn_set_procs(12);
    rn_waitgroup ended = RN_WAITGROUP_INIT;
    wg_add(&ended, 1);
    go(pinned, &ended);
    wg_wait(&ended);
}
