/* rn_pool: buffers that are used again instead of being allocated for every request. */
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIZE = 4096 };

static rn_atomic_int made;

static void *new_buffer(void)
{
    rn_atomic_add(&made, 1);
    return malloc(SIZE);
}

static rn_pool buffers = RN_POOL_INIT(new_buffer, free);

static void handle(int request, rn_atomic_int *handled)
{
    char *b = pool_get(&buffers);
    if (!b)
        return;
    if (snprintf(b, SIZE, "request %d", request) > 0)
        rn_atomic_add(handled, 1);
    pool_put(&buffers, b); /* it is the pool's again: not to be touched */
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_atomic_int handled = {0};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 1000; i++)
        wg_go(&wg, handle, i, &handled);
    wg_wait(&wg);
    printf("%d requests, fewer buffers: %s\n", rn_atomic_load(&handled), rn_atomic_load(&made) < 1000 ? "yes" : "no");
    pool_drain(&buffers);
    return 0;
}
