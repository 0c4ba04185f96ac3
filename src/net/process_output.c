/* Running a process to its end: its input written and its output kept by goroutines of their own, since a
 * process that can't write does not read. */
#include "base/alloc.h"
#include "net/process.h"
#include <errno.h>
#include <runnel/fd.h>
#include <runnel/waitgroup.h>
#include <string.h>

/* What goes through one pipe, by one goroutine. */
struct flow {
    rn_process *p;
    rn_context *ctx;
    rn_waitgroup *wg;
    rn_conn *pipe;
    const char *from; /* input: what is written */
    char *data;       /* output: what was read, with room for a 0 */
    size_t size, room;
    int err; /* what has cut it short, other than ctx; to be read after wg */
};

static bool grow(struct flow *f)
{
    enum { FIRST = 4096 };
    size_t room = f->room ? 2 * f->room : FIRST;
    char *data = room > f->room ? rn__realloc(f->data, room) : NULL;
    if (!data)
        return false;
    f->data = data;
    f->room = room;
    return true;
}

/* The next bytes into f's data: as rn_net_read. */
static ssize_t read_some(struct flow *f, bool wait)
{
    if (f->room - f->size < 2 && !grow(f))
        return RN_ENOMEM;
    char *to = f->data + f->size;
    size_t room = f->room - f->size - 1;
    ssize_t n = wait ? rn_net_read_ctx(f->ctx, f->pipe, to, room) : rn_net_try_read(f->pipe, to, room);
    if (n > 0)
        f->size += (size_t)n;
    return n;
}

/* What the pipe holds now that the process has ended.  No more, since children of it may write for ever. */
static ssize_t read_rest(struct flow *f)
{
    enum { A_PIPE = 64 << 10 };
    size_t most = f->size + A_PIPE;
    ssize_t n = 1;
    while (n > 0 && f->size < most)
        n = read_some(f, false);
    return n;
}

/* When ctx is done: what the process says until it has ended. */
static ssize_t read_until_ended(struct flow *f)
{
    enum { ENDED };
    ssize_t n = 1;
    while (n > 0 || n == RN_EAGAIN) {
        if (rn_chan_select(rn_on_recv(rn_process_done(f->p), NULL), rn_on_fd(rn_net_fd(f->pipe), RN_FD_READ)) == ENDED)
            return read_rest(f);
        n = read_some(f, false);
    }
    return n;
}

/* One flow has failed, or could not be begun: the process goes, and the other flows end also where a child of it
 * keeps their pipe open. */
static void give_up(rn_process *p)
{
    enum { NOW = 1 }; /* a deadline that has passed */
    rn_process_kill(p);
    for (int i = 0; i < 3; i++)
        if (p->pipes[i])
            rn_net_set_deadline(p->pipes[i], NOW);
}

/* n: what has ended it.  Neither ctx nor another flow's give_up is a failure of this one. */
static void end_flow(struct flow *f, ssize_t n)
{
    if (n < 0 && n != RN_ECANCELED && n != RN_ETIMEOUT && n != RN_EAGAIN) {
        f->err = (int)n;
        give_up(f->p);
    }
    rn_net_close(f->pipe);
}

static void read_all(struct flow *f)
{
    ssize_t n;
    while ((n = read_some(f, true)) > 0)
        continue;
    if (n == RN_ECANCELED || n == RN_ETIMEOUT)
        n = read_until_ended(f);
    end_flow(f, n);
    if (f->data)
        f->data[f->size] = 0;
}

static void read_all_apart(void *arg)
{
    struct flow *f = arg;
    read_all(f);
    rn_wg_done(f->wg);
}

/* Until the process has ended: what is left then is read by children of it, if ever, and ctx ends that. */
static ssize_t write_all(struct flow *f)
{
    enum { ENDED };
    size_t done = 0;
    while (done < f->size) {
        ssize_t n = rn_net_try_write(f->pipe, f->from + done, f->size - done);
        if (n > 0)
            done += (size_t)n;
        else if (n != RN_EAGAIN)
            return n;
        else if (rn_chan_select(rn_on_recv(rn_process_done(f->p), NULL), rn_on_fd(rn_net_fd(f->pipe), RN_FD_WRITE)) ==
                 ENDED)
            return rn_net_write_ctx(f->ctx, f->pipe, f->from + done, f->size - done);
    }
    return 0;
}

static void write_all_apart(void *arg)
{
    struct flow *f = arg;
    ssize_t n = write_all(f);
    end_flow(f, n == -EPIPE ? 0 : n); /* a process need not read all of it */
    rn_wg_done(f->wg);
}

static int apart(void (*run)(void *), struct flow *f)
{
    rn_wg_add(f->wg, 1);
    int err = rn__spawn(run, f, NULL);
    if (err)
        rn_wg_done(f->wg);
    return err;
}

/* Moves what goes through the pipes, and waits for the end: 0, or what has cut one short. */
static int attend(struct rn_process *p, struct flow *in, struct flow *out, struct flow *err)
{
    rn_waitgroup wg = {0};
    struct flow *flows[] = {in, out, err};
    int failed = 0;
    for (int i = 0; i < 3; i++) {
        flows[i]->p = p;
        flows[i]->pipe = p->pipes[i];
        flows[i]->wg = &wg;
    }
    if (in->pipe)
        failed = apart(write_all_apart, in);
    if (err->pipe && !failed)
        failed = apart(read_all_apart, err);
    if (failed)
        give_up(p);
    else if (out->pipe)
        read_all(out);
    rn_wg_wait(&wg);
    for (int i = 0; i < 3 && !failed; i++)
        failed = flows[i]->err;
    return failed;
}

static int run(rn_context *ctx, const rn_command *c, rn_output *o, bool keep)
{
    rn_command command = *c;
    rn_process *p;
    struct flow in = {.ctx = ctx, .from = c->input, .size = c->input_size}, out = {.ctx = ctx}, err = {.ctx = ctx};
    bool pipes = c->in.kind == RN_STDIO_IS_PIPE || c->out.kind == RN_STDIO_IS_PIPE || c->err.kind == RN_STDIO_IS_PIPE;
    if ((c->input_size && (c->in.kind != RN_STDIO_IS_INHERITED || !c->input)) || (pipes && !keep))
        return RN_EINVAL;
    if (c->input_size)
        command.in = RN_STDIO_PIPE;
    if (keep)
        command.out = RN_STDIO_PIPE;
    int result = rn_process_start_ctx(ctx, &command, &p);
    if (result)
        return result;
    int failed = attend(p, &in, &out, &err);
    result = rn_process_wait(p, &o->how);
    rn_process_free(p);
    o->out = out.data;
    o->out_size = out.size;
    o->err = err.data;
    o->err_size = err.size;
    return failed ? failed : result;
}

int rn_process_run_ctx(rn_context *ctx, const rn_command *c, rn_exit *how)
{
    rn_output o = {0};
    int err = run(ctx, c, &o, false);
    if (how)
        *how = o.how;
    return err;
}

int rn_process_run(const rn_command *c, rn_exit *how)
{
    return rn_process_run_ctx(NULL, c, how);
}

int rn_process_output_ctx(rn_context *ctx, const rn_command *c, rn_output *o)
{
    *o = (rn_output){0};
    if (c->in.kind == RN_STDIO_IS_PIPE || (c->out.kind != RN_STDIO_IS_INHERITED && c->out.kind != RN_STDIO_IS_PIPE))
        return RN_EINVAL;
    return run(ctx, c, o, true);
}

int rn_process_output(const rn_command *c, rn_output *o)
{
    return rn_process_output_ctx(NULL, c, o);
}

void rn_output_free(rn_output *o)
{
    rn__free(o->out);
    rn__free(o->err);
    *o = (rn_output){0};
}
