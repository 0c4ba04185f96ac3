/* category: anonymous captures / the caller goes on with what it has given away
 * found-by: race, explore
 *
 * A request is filled in, handed to a goroutine by its address, and filled in for the next one while the first
 * still reads it. */
#include <runnel.h>

struct request {
    int id;
    int body;
};

static void serve(const struct request *r, rn_atomic_int *bad)
{
    int id = r->id;
    rn_yield();
    if (r->body != id * 10)
        rn_atomic_add(bad, 1);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    rn_atomic_int bad = {0};
    struct request r[2];
    for (int i = 0; i < 2; i++) {
#ifdef FIXED
        struct request *own = &r[i];
#else
        struct request *own = &r[0];
#endif
        *own = (struct request){.id = i, .body = i * 10};
        wg_go(&wg, serve, own, &bad);
    }
    wg_wait(&wg);
    return rn_atomic_load(&bad) ? 1 : 0;
}
