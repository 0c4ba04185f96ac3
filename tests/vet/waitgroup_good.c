/* Counted before it is started; a goroutine that is counted may count others. */
#include <runnel.h>
#include <stdio.h>

struct pool {
    rn_waitgroup wg;
    int done;
};

static void work(rn_waitgroup *wg, int id)
{
    defer(wg_done, wg);
    if (id < 0)
        return;
    printf("%d\n", id);
}

static void tree(rn_waitgroup *wg, int depth)
{
    if (depth > 0)
        for (int i = 0; i < 2; i++) {
            wg_add(wg, 1);
            go(tree, wg, depth - 1);
        }
    wg_done(wg);
}

static void inner(struct pool *p)
{
    rn_waitgroup own = {0};
    wg_add(&own, 1);
    go(work, &own, 1);
    wg_wait(&own);
    p->done = 1;
    wg_done(&p->wg);
}

static void count_two(int n)
{
    printf("%d\n", n);
}

static void counted(rn_waitgroup *wg)
{
    wg_go(wg, count_two, 2);
}

static void early(rn_waitgroup *wg, int n)
{
    if (n == 0) {
        wg_done(wg);
        return;
    }
    printf("%d\n", n);
    wg_done(wg);
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    rn_waitgroup wg = {0};
    struct pool p = {0};
    for (int i = 0; i < 3; i++) {
        wg_add(&wg, 1);
        go(work, &wg, i);
    }
    wg_add(&wg, 2);
    go(tree, &wg, 3);
    go(early, &wg, argc);
    wg_add(&p.wg, 1);
    go(inner, &p);
    wg_wait(&p.wg);
    wg_go(&wg, counted, &wg);
    wg_wait(&wg);
    return 0;
}
