/* Silenced, each with a reason. */
#include <runnel.h>

static void work(int *n)
{
    ++*n;
}

static void start(void)
{
    static int n;
    go(work, &n);
    rn_sleep(RN_MILLISECOND); // vet: ignore sleepsync because the demonstration needs no result
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    start();
    int n = 0;
    go(work, &n);
    /* vet: ignore sleepsync because this one shows what happens without */
    rn_sleep(RN_MILLISECOND);
    return 0;
}
