/* Deferred where something follows in the block, or at the end of a function. */
#include <runnel.h>
#include <stdlib.h>

static rn_mutex mu;
static int n;

static void in_an_if(bool shared)
{
    if (shared) {
        mutex_lock(&mu);
        defer(mutex_unlock, &mu);
        n++;
    }
}

static int returns(bool shared)
{
    if (shared) {
        mutex_lock(&mu);
        defer(mutex_unlock, &mu);
        return n;
    }
    return 0;
}

static void in_a_loop(int times)
{
    for (int i = 0; i < times; i++) {
        void *p = malloc(8);
        defer(free, p);
        if (!p)
            break;
        n++;
    }
}

static void at_the_end(void)
{
    defer(rn_yield);
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    in_an_if(argc > 1);
    in_a_loop(argc);
    at_the_end();
    return returns(argc > 1) > 100;
}
