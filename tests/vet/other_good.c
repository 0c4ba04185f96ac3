/* The same, right. */
#include <runnel.h>

struct box {
    rn_mutex mu;
    rn_cond full;
    int n;
};

static int take(struct box *b)
{
    mutex_lock(&b->mu);
    while (b->n == 0)
        cond_wait(&b->full, &b->mu);
    int n = b->n--;
    mutex_unlock(&b->mu);
    return n;
}

static void looks(struct box *b)
{
    if (mutex_try_lock(&b->mu))
        mutex_unlock(&b->mu);
}

static void stays(struct box *b)
{
    rn_pin();
    defer(rn_unpin);
    b->n++;
}

static void fails(long n)
{
    rn_panic("only %ld", n);
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    struct box b = {.n = 1};
    take(&b);
    looks(&b);
    stays(&b);
    if (argc > 3)
        fails(argc);
    return 0;
}
