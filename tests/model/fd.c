/* Model test of descriptors that goroutines wait for, src/net/fd.c: no edge that the kernel reports is lost between a read
 * that found nothing and the wait, whoever registers the descriptor; turns are handed on; a close and a deadline
 * wake who waits, and the last user closes the descriptor, once. */
#include <unistd.h>
#define close model_close
static int model_close(int fd);

#include "os/lock.c"
#include "net/fd.c"
#include "model_ctx.h"

/* ---- the kernel: a socket, and a poller that reports edges -------------------------------------------- */

enum { RUN = 1, FD = 5 };
static struct {
    rn_lock lock;
    int bytes, closed;
    bool polled;
} kernel;
static struct rn__fd record;
static int got; /* plain: by whose turn it is */

static int model_close(int fd)
{
    MODEL_CHECK(fd == FD && kernel.closed == 0);
    kernel.closed++;
    return 0;
}

/* The poller reads the event and reports it. */
static void report(void)
{
    struct rn_ready_list wake = {0};
    on_event(tag_of(&record), RN_POLL_READ, &wake);
    if (wake.n)
        rn__ready_all(&wake);
}

int rn_os_poll_add(int fd, uint64_t tag)
{
    MODEL_CHECK(fd == FD && tag == tag_of(&record));
    rn_lock_take(&kernel.lock, RN_RANK_REVOKE);
    MODEL_CHECK(!kernel.polled);
    kernel.polled = true;
    bool edge = kernel.bytes > 0;
    rn_lock_release(&kernel.lock);
    if (edge)
        report();
    return 0;
}

int rn_os_poll_del(int fd)
{
    (void)fd;
    return 0;
}

static void send_one(void)
{
    rn_lock_take(&kernel.lock, RN_RANK_REVOKE);
    kernel.bytes++;
    bool edge = kernel.polled;
    rn_lock_release(&kernel.lock);
    if (edge)
        report();
}

static int recv_most(int most)
{
    rn_lock_take(&kernel.lock, RN_RANK_REVOKE);
    int n = kernel.bytes < most ? kernel.bytes : most;
    kernel.bytes -= n;
    rn_lock_release(&kernel.lock);
    return n ? n : -EAGAIN;
}

/* ---- what is not used here ------------------------------------------------------------------------------ */

rn_atomic(int64_t) rn__external_wakers;
rn_atomic(rn__poll_event_fn *) rn__poll_event;

uint32_t rn__poll_run(void)
{
    return RUN;
}

void rn__at_stop(struct rn_stop_hook *hook)
{
    (void)hook;
}

struct rn__fd *rn__fd_at(uint32_t index)
{
    return index == record.index ? &record : NULL;
}

uint32_t rn__fd_records(void)
{
    return 1;
}

struct rn__fd *rn__fd_record(void)
{
    return &record;
}

void rn__fd_record_put(struct rn__fd *f)
{
    (void)f;
    model_fail("rn__fd_record_put");
}

void rn__socket_remove_path(int fd)
{
    (void)fd;
    model_fail("rn__socket_remove_path");
}

int rn__socket_poll(int fd, int events, int ms)
{
    (void)fd, (void)events, (void)ms;
    model_fail("rn__socket_poll: a run is under way");
}

void rn__timer_start(struct rn_timer_entry *t, rn_time when)
{
    (void)t, (void)when;
    model_fail("rn__timer_start: the deadline has passed");
}

bool rn__timer_stop(struct rn_timer_entry *t)
{
    (void)t;
    return false;
}

/* ---- reading -------------------------------------------------------------------------------------------- */

static void setup(void)
{
    model_sched_reset();
    model_ctx_reset();
    kernel.lock = (rn_lock){0};
    kernel.bytes = kernel.closed = 0;
    kernel.polled = false;
    memset(&record, 0, sizeof record);
    record.fd = FD;
    record.flags = RN_FD_SOCKET | RN_FD_STREAM;
    rn_store_relaxed(&rn__external_wakers, 0);
    got = 0;
}

static void setup_registered(void)
{
    setup();
    kernel.polled = true;
    rn_store_relaxed(&record.registered, RUN);
}

static void setup_one_there(void)
{
    setup_registered();
    kernel.bytes = 1;
}

/* As rn_net_read: what came, or an error. */
static int read_some(int most)
{
    int n = -EAGAIN, err = rn__fd_begin(&record, RN_SIDE_READ, NULL);
    if (err)
        return err;
    while (!err) {
        if (!rn__fd_is_drained(&record) && (n = recv_most(most)) > 0)
            break;
        err = rn__fd_wait(&record, RN_SIDE_READ, NULL);
    }
    if (n > 0)
        got += n;
    rn__fd_end_read(&record, n, (size_t)most);
    return err ? err : n;
}

static void read_one(void)
{
    MODEL_CHECK(read_some(1) == 1);
}

static void read_two(void)
{
    for (int n = 0; n < 2;) {
        int more = read_some(4);
        MODEL_CHECK(more > 0);
        n += more;
    }
}

static void send_two(void)
{
    send_one();
    send_one();
}

static void quiet(void)
{
    MODEL_CHECK(record.users == 0 && !record.side[RN_SIDE_READ].busy && !record.side[RN_SIDE_READ].called);
    MODEL_CHECK(rn_load_relaxed(&rn__external_wakers) == 0);
}

static void all_two(void)
{
    MODEL_CHECK(got == 2 && kernel.bytes == 0);
    quiet();
}

MODEL_TEST(no_edge_is_lost, .setup = setup_registered, .thread = {read_two, send_two}, .finish = all_two,
           .preemptions = 3);
MODEL_TEST(first_wait_registers, .setup = setup, .thread = {read_two, send_two}, .finish = all_two, .preemptions = 2);
MODEL_TEST(readers_take_turns, .setup = setup_one_there, .thread = {read_one, read_one, send_one}, .finish = all_two,
           .preemptions = 1);

/* One who is called to a turn that another has taken again. */
static void setup_three_there(void)
{
    setup_registered();
    kernel.bytes = 3;
}

static void read_one_twice(void)
{
    read_one();
    read_one();
}

static void all_three(void)
{
    MODEL_CHECK(got == 3 && kernel.bytes == 0 && !record.side[RN_SIDE_READ].owed);
    quiet();
}

MODEL_TEST(turns_are_taken_again, .setup = setup_three_there, .thread = {read_one_twice, read_one}, .finish = all_three,
           .preemptions = 4);

/* ---- what else ends a wait ---------------------------------------------------------------------------------- */

static void read_or_closed(void)
{
    int n = read_some(4);
    MODEL_CHECK(n == RN_ECLOSED || n == 1);
}

static void shut(void)
{
    MODEL_CHECK(rn__fd_close(&record) == 0);
}

static void closed_once(void)
{
    MODEL_CHECK(kernel.closed == 1 && record.finished);
    quiet();
}

MODEL_TEST(close_wakes, .setup = setup_registered, .thread = {read_or_closed, shut}, .finish = closed_once);
MODEL_TEST(close_beside_an_edge, .setup = setup_registered, .thread = {read_or_closed, shut, send_one},
           .finish = closed_once, .preemptions = 2);
MODEL_TEST(close_wakes_turns, .setup = setup_registered, .thread = {read_or_closed, read_or_closed, shut},
           .finish = closed_once, .preemptions = 1);

static void read_until(void)
{
    int n = read_some(4);
    MODEL_CHECK(n == RN_ETIMEOUT || n == 1);
}

/* In the past. */
static void set_deadline(void)
{
    rn__fd_set_deadline(&record, RN_SIDE_READ, 1);
}

MODEL_TEST(deadline_wakes, .setup = setup_registered, .thread = {read_until, set_deadline}, .finish = quiet);
MODEL_TEST(deadline_beside_an_edge, .setup = setup_registered, .thread = {read_until, set_deadline, send_one},
           .finish = quiet, .preemptions = 2);
