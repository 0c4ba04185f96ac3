/* category: order violation / started before it is ready
 * found-by: race, explore
 *
 * The constructor starts the watcher, and fills in the limit that the watcher reads after that. */
#include <runnel.h>

struct store {
    int limit;
    rn_waitgroup wg;
    int seen;
};

static void watch(struct store *s)
{
    s->seen = s->limit;
}

static void store_init(struct store *s)
{
#ifdef FIXED
    s->limit = 10;
    wg_go(&s->wg, watch, s);
#else
    wg_go(&s->wg, watch, s);
    rn_yield();
    s->limit = 10;
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct store s = {0};
    store_init(&s);
    wg_wait(&s.wg);
    return s.seen == 10 ? 0 : 1;
}
