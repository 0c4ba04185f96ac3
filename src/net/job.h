/* Calls that block in the kernel and can't be taken back, made so that the caller can give up waiting. */
#ifndef RN_NET_JOB_H
#define RN_NET_JOB_H

#include "sched/sched.h"
#include <runnel/base.h>
#include <runnel/context_type.h>

/* Runs f(arg) apart and waits for it or for ctx, as rn_blocking_ctx says. */
int rn__job_run(rn_context *ctx, void (*f)(void *), void *arg, void (*drop)(void *));
/* True while a run's end calls drop: the records of descriptors have forgotten their users. */
extern bool rn__job_run_over;

#endif
