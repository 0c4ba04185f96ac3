/* What src/debug's files share. */
#ifndef RN_DEBUG_DEBUG_H
#define RN_DEBUG_DEBUG_H

#include "sched/sched.h"

/* hooks.dump, hooks.print_panics: see base/hooks.h. */
void rn__dump(struct rn_g *current, void *uc);
/* Before the handlers are installed. */
void rn__dump_prepare(void);
void rn__print_panics(struct rn_panic *newest);

#endif
