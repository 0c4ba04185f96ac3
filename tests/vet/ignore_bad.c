/* Silenced without a reason, or for another rule. */
#include <runnel.h>

static void work(void)
{
}

static void one(void)
{
    go(work);
    rn_sleep(RN_MILLISECOND); // vet: ignore sleepsync; still want sleepsync
}

static void two(void)
{
    go(work);
    rn_sleep(RN_MILLISECOND); // vet: ignore lockheld because of nothing; want sleepsync
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    one();
    two();
    return 0;
}
