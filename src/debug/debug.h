/* What src/debug's files share. */
#ifndef RN_DEBUG_DEBUG_H
#define RN_DEBUG_DEBUG_H

#include "sched/sched.h"
#include <pthread.h>

/* hooks.dump, hooks.print_panics, hooks.tell_panic: see base/hooks.h. */
void rn__dump(struct rn_g *current, void *uc);
void rn__tell_panic(const char *const *texts);
/* Before the handlers are installed. */
void rn__dump_prepare(void);
void rn__print_panics(struct rn_panic *newest);
/* Lines after the first are set in. */
void rn__print_text(const char *text);

/* One goroutine of a listing; `note` prints lines of its own behind the first.  On a stack with room for libdw, and
 * one caller at a time. */
void rn__print_goroutine(const struct rn_g *g, rn_time now, void (*note)(const struct rn_g *g, void *arg), void *arg);

/* Who looks for leaks, or reports, while the program goes on. */
extern pthread_mutex_t rn__debug_one_at_a_time;
/* Calls f(arg) on a stack that has room for libdw, with rn__debug_one_at_a_time held.  False: there is no memory for it. */
bool rn__with_room(void (*f)(void *arg), void *arg);

/* leaks.c: the request by signal, and the question at the end of main. */
void rn__leaks_start(void);
void rn__leaks_stop(void);

#ifdef RN_RACE
/* race_report.c: has the linker take it. */
void rn__race_report_use(void);
#else
#define rn__race_report_use() ((void)0)
#endif

#endif
