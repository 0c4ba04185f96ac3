/* Sleep instead of a wait. */
#include <runnel.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int result;
static volatile bool finished;
static rn_atomic_bool ready;

struct task {
    bool done;
    rn_mutex mu;
};

static void work(void)
{
    result = 42;
    finished = true;
}

static void fill(int *n)
{
    *n = 1;
}

static void at_end(void)
{
    go(work);
    rn_sleep(100 * RN_MILLISECOND); // want sleepsync
}

static void before_read(void)
{
    go(work);
    rn_sleep(RN_SECOND); // want sleepsync
    printf("%d\n", result);
}

static void by_libc(void)
{
    for (int i = 0; i < 3; i++)
        rn_go(work);
    sleep(1); // want sleepsync
}

static void microseconds(void)
{
    go(work);
    puts("waiting");
    usleep(1000); // want sleepsync
}

static void posix(void)
{
    struct timespec t = {.tv_nsec = 1000};
    go(work);
    nanosleep(&t, NULL); // want sleepsync
}

static void waits_too_late(void)
{
    rn_waitgroup wg = {0};
    int n = 0;
    wg_go(&wg, fill, &n);
    rn_sleep(RN_MILLISECOND); // want sleepsync
    printf("%d\n", n);
    wg_wait(&wg);
}

static void start(void)
{
    go(work);
}

static void by_helper(void)
{
    start();
    rn_sleep(RN_MILLISECOND); // want sleepsync
}

static void polls(void)
{
    while (!finished) // want sleepsync
        rn_sleep(RN_MILLISECOND);
}

static void polls_atomic(void)
{
    while (!rn_atomic_load(&ready)) { // want sleepsync
        rn_sleep(RN_MILLISECOND);
    }
}

static void polls_field(struct task *t)
{
    while (!t->done) // want sleepsync
        usleep(100);
}

static void polls_locked(struct task *t)
{
    for (;;) { // want sleepsync
        mutex_lock(&t->mu);
        bool done = t->done;
        mutex_unlock(&t->mu);
        if (done)
            break;
        rn_sleep(RN_MILLISECOND);
    }
}

static int polls_channel(chan(int) c)
{
    int v;
    while (chan_try_recv(c, &v) == RN_EAGAIN) // want sleepsync
        rn_sleep(RN_MILLISECOND);
    return v;
}

static void polls_context(rn_context *ctx)
{
    while (ctx_err(ctx) == 0) // want sleepsync
        rn_sleep(RN_MILLISECOND);
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    struct task t = {0};
    chan(int) c = chan_make(int, 1);
    at_end(), before_read(), by_libc(), microseconds(), posix(), waits_too_late(), by_helper(), polls(), polls_atomic();
    polls_field(&t), polls_locked(&t), polls_channel(c), polls_context(NULL);
    go(work);
    rn_sleep(RN_SECOND); // want sleepsync
    return argc > 2;
}
