/* The turns of a channel's places; empty without the race detector.  See race.h. */
#include "chan/race.h"
#include "base/alloc.h"
#include "chan/done.h"
#include <runnel/chan.h>
#include <runnel/select.h>

#ifdef RN_RACE

/* Without memory the channel has none: then its hand-overs order nothing. */
void rn__turns_make(struct rn_chan *c)
{
    if (c->cap && c->cap < SIZE_MAX / sizeof(void *) - 2)
        c->turns = rn__calloc(1, sizeof *c->turns + c->cap * sizeof c->turns->at[0]);
}

void rn__turns_free(struct rn_chan *c)
{
    for (size_t i = 0; c->turns && i < c->cap; i++)
        rn__race_turn_put(c->turns->at[i]);
    rn__free(c->turns);
    c->turns = NULL;
}

/* Told before: of too many cases rn__select panics. */
void rn__select_race_begin(const struct rn_case *cases, size_t n, struct rn_select_race *race, void *pc)
{
    race->bytes = n <= RN_SELECT_FEW ? race->few : rn__malloc(n * sizeof *race->bytes);
    for (size_t i = 0; i < n && n <= RN_SELECT_MOST; i++) {
        uint32_t bytes = 0;
        if (cases[i].kind == RN_CASE_SEND)
            rn__chan_race_sends(cases[i].chan, cases[i].elem, pc);
        else if (cases[i].kind == RN_CASE_RECV)
            bytes = (uint32_t)rn__chan_race_receives(cases[i].chan, pc);
        if (race->bytes)
            race->bytes[i] = bytes;
    }
}

void rn__select_race_end(const struct rn_case *cases, int i, struct rn_select_race *race, void *pc)
{
    const struct rn_case *k = &cases[i];
    if (k->kind == RN_CASE_DONE)
        (void)rn__done_seen(k->chan);
    if (k->kind == RN_CASE_RECV) {
        rn__race_write(k->elem, race->bytes ? race->bytes[i] : 0, pc);
        rn__race_write(k->ok, k->ok ? sizeof *k->ok : 0, pc);
    }
    if (race->bytes != race->few)
        rn__free(race->bytes);
}

/* What programs call: the operations at the place where they are called. */
void rn__chan_send(void *c, const void *v)
{
    rn__chan_send_at(c, v, RN_RACE_PC);
}

bool rn__chan_recv(void *c, void *v)
{
    return rn__chan_recv_at(c, v, RN_RACE_PC);
}

int rn__select(struct rn_case *cases, size_t n)
{
    return rn__select_at(cases, n, RN_RACE_PC);
}

#endif
