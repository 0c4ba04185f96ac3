/* See coherence.c.  Also included in front of every file of the library (-include), for the pause. */
#ifndef BENCH_COHERENCE_H
#define BENCH_COHERENCE_H

void rn_coherence_pause(void);
/* Counting begins; the warm-up before it is for the caches. */
void coherence_start(void);
/* Counting ends.  Prints "what processors ops transfers/op accesses/op", and with SHARING_SITES=1 the places with most
 * transfers. */
void coherence_tell(const char *what, int processors, long ops);

#endif
