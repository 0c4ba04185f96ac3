/* Data per processor, for the layers above.
 *
 *     struct rn_m *m;
 *     int p = rn__local_enter(&m);     // the number of this goroutine's processor, < RN_PROCS_MAX
 *     if (p >= 0) { …; rn__local_leave(m); }
 *
 * Between the two nobody else is between them with the same number, so what is kept under that number
 * needs no lock and no atomic operation.  Keep it to a few loads and stores: no park, no lock, no call of
 * anything that enters the runtime.  A plain thread has no processor: -1, and no leave.
 * Happens before: a leave before the next enter with the same number.
 */
#ifndef RN_SCHED_LOCAL_H
#define RN_SCHED_LOCAL_H

struct rn_m;

int rn__local_enter(struct rn_m **m);
void rn__local_leave(struct rn_m *m);

#endif
