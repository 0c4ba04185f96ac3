/* Descriptors as cases of a select: what chan/outside.h asks for.
 *
 * The case joins the waiters of the record that all who wait for this descriptor share (wait.c), on each
 * side that it asks for.  After that it looks once more: what became ready before it stood there has
 * had its edge.
 */
#include "chan/outside.h"
#include "net/socket.h"
#include <errno.h>
#include <runnel/fd.h>
#include <unistd.h>

static int fd_of(const struct rn_case *k)
{
    return (int)(uint32_t)k->timeout;
}

static int events_of(const struct rn_case *k)
{
    return (int)(uint32_t)((uint64_t)k->timeout >> 32);
}

static bool ready(const struct rn_case *k, bool take)
{
    int now = fd_of(k) < 0 ? 0 : rn__socket_poll(fd_of(k), events_of(k), 0);
    if (now && take && k->elem)
        *(int *)k->elem = now;
    return now != 0;
}

/* 0 when all sides wait; 1 when one is ready perhaps; or an error. */
static int join(struct rn_outside *o, struct rn__fd *f)
{
    int events = events_of(o->of), joined = 0;
    if (events & RN_FD_READ)
        joined = rn__fd_join(f, RN_SIDE_READ, &o->w[0]);
    if (joined == 0 && (events & RN_FD_WRITE))
        joined = rn__fd_join(f, RN_SIDE_WRITE, &o->w[1]);
    return joined;
}

static void leave(struct rn_outside *o, struct rn__fd *f)
{
    rn__fd_leave(f, RN_SIDE_READ, &o->w[0]);
    rn__fd_leave(f, RN_SIDE_WRITE, &o->w[1]);
    if (f->flags & RN_FD_BORROWED)
        rn__fd_unshare(f);
    else
        rn__fd_free(f);
}

/* Waits with this record, which is given back unless it does; results as enqueue's.  A side that was ready perhaps
 * has not joined: then all is done again, also when another has taken what there was. */
static int wait_with(struct rn_outside *o, struct rn__fd *f)
{
    int joined = join(o, f);
    if (joined == 0)
        joined = ready(o->of, false);
    if (joined == 0)
        o->state = f;
    else
        leave(o, f);
    return joined;
}

/* A connection of ours has registered this descriptor already: a duplicate can be registered as well. */
static int wait_by_duplicate(struct rn_outside *o)
{
    int copy = rn_os_dup(fd_of(o->of), 0);
    if (copy < 0)
        return copy;
    struct rn__fd *f = rn__fd_make(copy, RN_FD_FOREIGN);
    if (f)
        return wait_with(o, f);
    close(copy);
    return RN_ENOMEM;
}

static int enqueue(struct rn_outside *o)
{
    int fd = fd_of(o->of);
    if (fd < 0 || events_of(o->of) == 0)
        return 0; /* never ready; state stays NULL */
    if (!rn__poll_run())
        rn__misuse("on_fd: a plain thread can't wait for a descriptor in a select while no rn_run is under way");
    struct rn__fd *f = rn__fd_share(fd);
    int waits = f ? wait_with(o, f) : RN_ENOMEM;
    return waits == -EEXIST ? wait_by_duplicate(o) : waits;
}

static void dequeue(struct rn_outside *o)
{
    leave(o, o->state);
}

const struct rn_case_ops rn__fd_case = {.ready = ready, .enqueue = enqueue, .dequeue = dequeue};
