/* What becomes of freed channels.
 *
 * Release builds give the memory back at once.  Debug builds, and those in which schedules are explored, keep the
 * last few thousand channels, marked as freed, so that a use after free finds the mark and panics (rn__chan_check)
 * instead of touching somebody else's memory.
 *
 * Bounded by number and by bytes, oldest out first; emptied when the process ends, so that a leak
 * checker sees nothing.
 */
#include "base/alloc.h"
#include "chan/chan.h"

static void give_back(struct rn_chan *c)
{
    rn__free(c ? rn_container(c, struct rn_chan_made, c)->block : NULL);
}

#ifdef RN_CHAN_GRAVES

enum { GRAVES = 4096, GRAVE_BYTES = 16 << 20 };

static struct {
    rn_lock lock; /* guards the rest; never taken with another lock held */
    struct rn_chan *dead[GRAVES];
    size_t first, n, bytes;
} yard;

static size_t size_of(const struct rn_chan *c)
{
    return sizeof *c + (size_t)(c->end - c->ring);
}

static struct rn_chan *dig_up(void)
{
    struct rn_chan *c = yard.dead[yard.first];
    yard.first = (yard.first + 1) % GRAVES;
    yard.n--;
    yard.bytes -= size_of(c);
    return c;
}

void rn__chan_bury(struct rn_chan *c)
{
    if (size_of(c) > GRAVE_BYTES / 4) {
        give_back(c);
        return;
    }
    for (bool room = false; !room;) {
        struct rn_chan *out = NULL;
        rn_lock_take(&yard.lock, RN_RANK_CHAN);
        room = yard.n < GRAVES && yard.bytes + size_of(c) <= GRAVE_BYTES;
        if (room) {
            yard.dead[(yard.first + yard.n++) % GRAVES] = c;
            yard.bytes += size_of(c);
        } else {
            out = dig_up();
        }
        rn_lock_release(&yard.lock);
        give_back(out);
    }
}

static __attribute__((destructor)) void empty_yard(void)
{
    while (yard.n)
        give_back(dig_up());
}

#else

void rn__chan_bury(struct rn_chan *c)
{
    give_back(c);
}

#endif
