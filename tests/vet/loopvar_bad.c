/* One variable for all goroutines of a loop. */
#include <runnel.h>
#include <stdio.h>

static void show(int *n)
{
    printf("%d\n", *n);
}

static void header(rn_waitgroup *wg)
{
    for (int i = 0; i < 3; i++)
        wg_go(wg, show, &i); // want loopvar
}

static void outside(rn_waitgroup *wg)
{
    int i;
    for (i = 0; i < 3; i++) {
        wg_add(wg, 1);
        go(show, &i); // want loopvar
    }
    wg_wait(wg);
}

static void while_loop(rn_waitgroup *wg)
{
    int i = 0;
    while (i < 3) {
        wg_go(wg, show, &i); // want loopvar
        i++;
    }
    wg_wait(wg);
}

static void range(chan(int) in, rn_waitgroup *wg)
{
    for (int v; chan_next(in, &v);)
        wg_go(wg, show, &v); // want loopvar
    wg_wait(wg);
}

static void scope(void)
{
    int i;
    rn_scope s;
    scope_begin(&s, NULL);
    for (i = 0; i < 3; i++)
        scope_go(&s, show, &i); // want loopvar
    scope_end(&s);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    chan(int) c = chan_make(int, 0);
    chan_close(c);
    header(&wg);
    outside(&wg);
    while_loop(&wg);
    range(c, &wg);
    scope();
    wg_wait(&wg);
    return 0;
}
