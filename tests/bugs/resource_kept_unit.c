/* category: resource deadlock / a unit of a semaphore is not given back
 * found-by: deadlock
 *
 * A request that is refused returns without the unit that it took. */
#include <runnel.h>

struct breaker {
    rn_semaphore slots;
};

static int serve(struct breaker *b, int request)
{
    if (sem_acquire(ctx_background(), &b->slots, 1) != 0)
        return -1;
    if (request % 2) {
#ifdef FIXED
        sem_release(&b->slots, 1);
#endif
        return -1;
    }
    sem_release(&b->slots, 1);
    return 0;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct breaker b = {.slots = RN_SEMAPHORE_INIT(2)};
    for (int i = 0; i < 6; i++)
        serve(&b, i);
    return 0;
}
