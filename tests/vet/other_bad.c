/* Results that are dropped, formats, conditions tested once. */
#include <runnel.h>

struct box {
    rn_mutex mu;
    rn_cond full;
    int n;
};

static int take(struct box *b)
{
    mutex_lock(&b->mu);
    if (b->n == 0)
        cond_wait(&b->full, &b->mu); // want condloop
    int n = b->n--;
    mutex_unlock(&b->mu);
    return n;
}

static void drops(struct box *b)
{
    mutex_try_lock(&b->mu); // want unusedresult
}

static void fails(long n)
{
    rn_panic("only %d", n); // want printf
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    struct box b = {.n = 1};
    take(&b);
    drops(&b);
    if (argc > 3)
        fails(argc);
    return 0;
}
