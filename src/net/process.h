/* A child process as the files of src/net see it; process.c says what always holds. */
#ifndef RN_NET_PROCESS_H
#define RN_NET_PROCESS_H

#include "net/fd.h"
#include <runnel/mutex.h>
#include <runnel/process.h>

struct rn_ctx_after;

struct rn_process {
    struct rn_process *next; /* in the list of all */
    rn_atomic(uint32_t) refs;
    int pid, pidfd;       /* pidfd -1: there is none */
    struct rn__fd *watch; /* the pidfd's record, which has taken it over; NULL: a thread waits */
    void *done;           /* a channel, closed once exit and error are there */
    rn_conn *pipes[3];    /* our ends */
    rn_mutex lock;        /* of ended and canceled */
    bool ended, owned;    /* taken from the kernel; rn_process_free was not called yet */
    bool group;           /* signals go to its process group */
    int canceled;         /* the error of the context that has ended it */
    int error;            /* what the kernel said when it was to be taken */
    rn_exit exit;
    rn_context *ctx; /* retained until end_process has run or was taken back */
    struct rn_ctx_after *after;
    int cancel_signal;
    rn_duration grace;
};

/* A process that was not started yet, with one reference; NULL: no memory. */
struct rn_process *rn__process_new(void);
/* Starts the reaper of a child that runs; when there is no memory the child is ended. */
int rn__process_watch(struct rn_process *p);
/* The end of ctx will end it. */
void rn__process_end_with(struct rn_process *p, rn_context *ctx);

#endif
