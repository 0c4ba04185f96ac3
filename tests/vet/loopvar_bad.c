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

struct job {
    int n;
    int *out;
    char name[16];
};
struct batch {
    struct job job;
    int k;
};

static void run(struct job *j)
{
    printf("%s %d\n", j->name, j->n);
}

static void run_copy(struct job j)
{
    printf("%d\n", *j.out);
}

static void read_name(const char *name)
{
    puts(name);
}

/* A struct that each round fills anew. */
static void member(rn_waitgroup *wg)
{
    struct job j = {0}, *same = &j;
    for (int i = 0; i < 3; i++) {
        j.n = i;
        wg_go(wg, run, &j); // want loopvar
    }
    for (int i = 0; i < 3; i++) {
        same->n = i;
        wg_go(wg, run, same); // want loopvar
    }
    for (j.n = 0; j.n < 3; j.n++)
        wg_go(wg, show, &j.n); // want loopvar
    wg_wait(wg);
}

static void whole(rn_waitgroup *wg, chan(struct job) in, const struct job *all)
{
    struct job j;
    for (int i = 0; i < 3; i++) {
        j = all[i];
        wg_go(wg, run, &j); // want loopvar
    }
    while (chan_next(in, &j))
        wg_go(wg, run, &j); // want loopvar
    wg_wait(wg);
}

static void nested(rn_waitgroup *wg)
{
    struct batch b;
    for (b.k = 0; b.k < 3; b.k++) {
        b.job.n = b.k;
        wg_go(wg, run, &b.job); // want loopvar
    }
    wg_wait(wg);
}

static void text(rn_waitgroup *wg, FILE *from)
{
    char line[64];
    struct job j = {0};
    for (int i = 0; i < 3; i++) {
        snprintf(j.name, sizeof j.name, "%d", i);
        wg_go(wg, run, &j); // want loopvar
    }
    while (fgets(line, sizeof line, from))
        wg_go(wg, read_name, line); // want loopvar
    wg_wait(wg);
}

/* The loop's variable, by a pointer within what each round has of its own. */
static void pointed_to(rn_waitgroup *wg)
{
    struct job own[3];
    int i;
    for (i = 0; i < 3; i++) {
        own[i].out = &i;
        wg_go(wg, run, &own[i]);                      // want loopvar
        wg_go(wg, run_copy, (struct job){.out = &i}); // want loopvar
    }
    for (i = 0; i < 3; i++) {
        own[i] = (struct job){.out = &i};
        wg_go(wg, run, &own[i]); // want loopvar
    }
    wg_wait(wg);
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
    chan(struct job) jobs = chan_make(struct job, 0);
    struct job all[3] = {{0}};
    chan_close(jobs);
    member(&wg), whole(&wg, jobs, all), nested(&wg), text(&wg, stdin), pointed_to(&wg);
    chan_free(jobs);
    wg_wait(&wg);
    return 0;
}
