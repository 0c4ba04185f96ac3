/* What channels know of timers: the end of a channel that belongs to one. */
#ifndef RN_CHAN_TIMER_H
#define RN_CHAN_TIMER_H

#include "chan/chan.h"

/* chan_free of a timer's channel: stops and frees that of rn_after and rn_tick; panics for others. */
void rn__timer_chan_free(struct rn_chan *c);

#endif
