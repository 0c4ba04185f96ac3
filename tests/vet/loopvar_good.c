/* A value, or memory, for each. */
#include <runnel.h>
#include <stdio.h>

static void show(int n)
{
    printf("%d\n", n);
}

static void add(int *n)
{
    __atomic_add_fetch(n, 1, __ATOMIC_RELAXED);
}

struct job {
    int n;
    rn_mutex mu;
};
struct task {
    int n, got;
};

static void run(struct task *t)
{
    printf("%d\n", t->n);
}

static void run_one_of(struct task *all, int i)
{
    printf("%d\n", all[i].n);
}

static void serve(struct job *shared)
{
    mutex_lock(&shared->mu);
    printf("%d\n", shared->n);
    mutex_unlock(&shared->mu);
}

/* Structs that each round has of its own, that a lock guards, of which another member changes, or that are waited for. */
static void structs(rn_waitgroup *wg)
{
    struct task own[3], same = {.n = 1};
    struct job shared = {.n = 1};
    for (int i = 0; i < 3; i++) {
        own[i].n = i;
        wg_go(wg, run, &own[i]);
        wg_go(wg, run_one_of, own, i);
    }
    for (int i = 0; i < 3; i++) {
        mutex_lock(&shared.mu);
        shared.n++;
        mutex_unlock(&shared.mu);
        wg_go(wg, serve, &shared);
    }
    for (int i = 0; i < 3; i++) {
        same.got += i;
        wg_go(wg, run, &same);
    }
    wg_wait(wg);
    for (int i = 0; i < 3; i++) {
        same.n = i;
        wg_go(wg, run, &same);
        wg_wait(wg);
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    int slot[3], total = 0;
    for (int i = 0; i < 3; i++) {
        slot[i] = i;
        wg_go(&wg, show, i);
        wg_go(&wg, add, &slot[i]);
        wg_go(&wg, add, &total);
    }
    wg_wait(&wg);
    for (int i = 0; i < 3; i++) { /* each waits for its own */
        wg_go(&wg, add, &i);
        wg_wait(&wg);
    }
    for (int *p = slot; p < slot + 3; p++)
        wg_go(&wg, add, p);
    wg_wait(&wg);
    structs(&wg);
    return 0;
}
