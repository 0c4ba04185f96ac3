/* Pitfall: sleeping "long enough" for a goroutine is a gamble.  Under load it takes longer, and it is
 * a data race in any case: nothing orders the write before the read. */
#include <runnel.h>
#include <stdio.h>

static rn_atomic_int x; /* atomic, so that this program at least is defined */

static void compute(void)
{
    rn_sleep(10 * RN_SECOND); /* a busy machine */
    rn_atomic_store(&x, 42);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    go(compute);
    rn_sleep(RN_MILLISECOND); /* surely enough? */
    printf("%d\n", rn_atomic_load(&x));
    return 0;
}
