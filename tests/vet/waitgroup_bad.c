/* wg_add that comes too late, wg_done that does not come. */
#include <runnel.h>
#include <stdio.h>

struct pool {
    rn_waitgroup wg;
    int done;
};
static rn_waitgroup global;

static void late(rn_waitgroup *wg, int id)
{
    wg_add(wg, 1); // want waitgroup
    printf("%d\n", id);
    wg_done(wg);
}

static void late_deferred(struct pool *p)
{
    wg_add(&p->wg, 1); // want waitgroup
    defer(wg_done, &p->wg);
    p->done++;
}

static void late_global(int id)
{
    rn_wg_add(&global, 1); // want waitgroup
    printf("%d\n", id);
    rn_wg_done(&global);
}

static void enter(struct pool *p)
{
    wg_add(&p->wg, 1);
}

static void late_helper(struct pool *p)
{
    enter(p); // want waitgroup
    p->done++;
    wg_done(&p->wg);
}

static void late_behind_a_lock(struct pool *p, rn_mutex *mu)
{
    mutex_lock(mu);
    p->done++;
    mutex_unlock(mu);
    wg_add(&p->wg, 1); // want waitgroup
    wg_done(&p->wg);
}

static void child(rn_waitgroup *wg)
{
    wg_done(wg);
}

static void spawner(rn_waitgroup *wg)
{
    for (int i = 0; i < 3; i++) {
        wg_add(wg, 1); // want waitgroup
        go(child, wg);
    }
}

static void forgets(rn_waitgroup *wg, int n)
{
    if (n < 0)
        return; // want waitgroup
    printf("%d\n", n);
    wg_done(wg);
}

static void start_spawner(void)
{
    rn_waitgroup wg = {0};
    go(spawner, &wg);
    wg_wait(&wg);
}

static void counted_already(rn_waitgroup *wg)
{
    defer(wg_done, wg); // want waitgroup
}

static void waits_for_itself(rn_waitgroup *wg)
{
    wg_wait(wg); // want waitgroup
}

static void twice(void)
{
    rn_waitgroup wg = {0}, own = {0};
    wg_go(&wg, counted_already, &wg);
    wg_go(&own, waits_for_itself, &own);
    wg_wait(&wg);
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    rn_waitgroup wg = {0};
    struct pool p = {0};
    for (int i = 0; i < 3; i++)
        go(late, &wg, i);
    go(late_deferred, &p);
    go(late_helper, &p);
    rn_mutex mu = {0};
    go(late_behind_a_lock, &p, &mu);
    rn_go(late_global, 1);
    wg_add(&wg, 1);
    go(forgets, &wg, argc);
    wg_wait(&wg);
    wg_wait(&p.wg);
    wg_wait(&global);
    start_spawner(), twice();
    return 0;
}
