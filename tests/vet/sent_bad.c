/* What was sent is the receiver's. */
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    int n;
};

static void by_address(chan(struct job *) c, int n)
{
    struct job j = {n};
    chan_send(c, &j); // want localptr
}

static void argument(chan(struct job *) c, struct job j)
{
    chan_send(c, &j); // want localptr
}

static void buffer(chan(char *) c)
{
    char line[80];
    for (int i = 0; i < 3; i++) {
        snprintf(line, sizeof line, "line %d", i);
        chan_send(c, line); // want localptr, want loopvar
    }
    chan_close(c);
}

static int tried(chan(struct job *) c)
{
    struct job j = {1};
    if (chan_try_send(c, &j) == 0) // want localptr
        return 1;
    return 0;
}

static void each_round(chan(struct job *) c, rn_waitgroup *wg)
{
    struct job j;
    defer(wg_wait, wg);
    for (int i = 0; i < 3; i++) {
        j.n = i;
        chan_send(c, &j); // want loopvar
    }
    for (int i = 0; i < 3; i++) {
        j = (struct job){i};
        if (chan_try_send(c, &j) != 0) // want loopvar
            break;
    }
}

static void counter(chan(int *) c, rn_waitgroup *wg)
{
    defer(wg_wait, wg);
    for (int i = 0; i < 3; i++)
        chan_send(c, &i); // want loopvar
}

static void freed(chan(struct job *) c)
{
    struct job *j = calloc(1, sizeof *j);
    chan_send(c, j);
    free(j); // want earlyfree
}

static void other_sense(chan(struct job *) c)
{
    struct job *j = calloc(1, sizeof *j);
    if (!chan_try_send(c, j))
        free(j); // want earlyfree
}

static int other_sense_by_variable(rn_context *ctx, chan(struct job *) c)
{
    struct job *j = calloc(1, sizeof *j);
    int err = chan_send_ctx(ctx, c, j);
    if (err)
        return err;
    free(j); // want earlyfree
    return 0;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(struct job *) c = chan_make(struct job *, 9);
    rn_waitgroup wg = {0};
    each_round(c, &wg), counter(chan_make(int *, 9), &wg);
    by_address(c, 1), argument(c, (struct job){1}), buffer(chan_make(char *, 9)), freed(c), other_sense(c);
    return tried(c) + other_sense_by_variable(NULL, c);
}
