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

/* A goroutine counts what it is at, unless those who wait have shut the door. */
struct shop {
    rn_mutex door;
    bool closed;
    rn_waitgroup guests;
};

static bool enter(struct shop *s)
{
    mutex_lock(&s->door);
    defer(mutex_unlock, &s->door);
    if (s->closed)
        return false;
    wg_add(&s->guests, 1);
    return true;
}

static void visit(struct shop *s, rn_waitgroup *wg)
{
    if (enter(s))
        wg_done(&s->guests);
    wg_done(wg);
}

static void look_in(struct shop *s, rn_waitgroup *wg)
{
    mutex_lock(&s->door);
    bool open = !s->closed;
    if (open)
        wg_add(&s->guests, 1);
    mutex_unlock(&s->door);
    if (open)
        wg_done(&s->guests);
    wg_done(wg);
}

static void close_shop(struct shop *s)
{
    mutex_lock(&s->door);
    s->closed = true;
    mutex_unlock(&s->door);
    wg_wait(&s->guests);
}

/* Counts down another one, or what was counted for it beside wg_go; waits for another, or if it is told to. */
static void counts_down(rn_waitgroup *other, rn_waitgroup *own, bool wait)
{
    wg_done(other);
    if (wait)
        wg_wait(own);
}

static void counted_beside(void)
{
    rn_waitgroup all = {0}, begun = {0}, last = {0};
    wg_add(&begun, 1);
    wg_go(&all, counts_down, &begun, &all, false);
    wg_add(&last, 1);
    wg_go(&last, counts_down, &last, &all, true);
    wg_wait(&begun);
    wg_wait(&all);
    wg_wait(&last);
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    rn_waitgroup wg = {0};
    struct pool p = {0};
    struct shop shop = {0};
    wg_add(&wg, 2);
    go(visit, &shop, &wg);
    go(look_in, &shop, &wg);
    close_shop(&shop);
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
    counted_beside();
    wg_go(&wg, counted, &wg);
    wg_wait(&wg);
    return 0;
}
