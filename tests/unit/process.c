/* Child processes: start, descriptors, wait, end. */
#define _GNU_SOURCE 1
#include "../emulated.h"
#include "../quiet.h"
#include "os/linux/internal.h"
#include "../wakers.h"
#include "sched/sched.h"
#include <errno.h>
#include <fcntl.h>
#include <runnel.h>
#include <runnel/fd.h>
#include <runnel/process.h>
#include <runnel/test.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SH(script) ARGV("sh", "-c", script)

static bool no_children(void)
{
    return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD;
}

static rn_exit run(const char *script)
{
    rn_exit how = {0};
    CHECK_EQ(process_run(&(rn_command){.argv = SH(script)}, &how), 0);
    return how;
}

TEST(how_it_ended)
{
    CHECK_EQ(run("exit 0").code, 0);
    CHECK_EQ(run("exit 7").code, 7);
    rn_exit how = run("kill -TERM $$");
    CHECK_EQ(how.code, -1);
    CHECK_EQ(how.signal, SIGTERM);
    CHECK(how.max_rss > 0);
    await_quiet();
    CHECK(no_children());
}

TEST(what_can_not_be_started)
{
    skip_when_emulated();
    rn_process *p = NULL;
    int before = open_descriptors();
    CHECK_EQ(process_start(&(rn_command){.argv = ARGV("/no/such/program")}, &p), -ENOENT);
    CHECK_EQ(process_start(&(rn_command){.argv = ARGV("no-such-program-anywhere")}, &p), -ENOENT);
    CHECK_EQ(process_start(&(rn_command){.argv = ARGV("/dev/null")}, &p), -EACCES);
    CHECK_EQ(process_start(&(rn_command){.argv = ARGV("true"), .dir = "/no/such/dir"}, &p), -ENOENT);
    CHECK_EQ(process_start(&(rn_command){.argv = ARGV("true"), .in = RN_STDIO_FILE("/no/such")}, &p), -ENOENT);
    CHECK_EQ(process_start(&(rn_command){.argv = ARGV("true"), .out = RN_STDIO_FD(9999)}, &p), -EBADF);
    CHECK_EQ(process_start(&(rn_command){.argv = ARGV("true"), .out = RN_STDIO_STDOUT}, &p), RN_EINVAL);
    CHECK_EQ(process_start(&(rn_command){0}, &p), RN_EINVAL);
    CHECK_EQ(process_start(&(rn_command){.argv = (const char *const[]){NULL}}, &p), RN_EINVAL);
    CHECK(p == NULL);
    CHECK(open_descriptors() <= before);
    CHECK_EQ(rn_num_goroutines(), 1);
    CHECK(no_children());
}

static void check_output(const rn_command *c, const char *wanted)
{
    rn_output o;
    CHECK_EQ(process_output(c, &o), 0);
    CHECK_STR(o.out, wanted);
    CHECK_EQ(o.out_size, strlen(wanted));
    rn_output_free(&o);
}

TEST(output_is_kept)
{
    check_output(&(rn_command){.argv = SH("echo one; echo two >&2; echo three"), .err = RN_STDIO_STDOUT},
                 "one\ntwo\nthree\n");
    check_output(&(rn_command){.argv = SH("pwd"), .dir = "/usr"}, "/usr\n");
    check_output(&(rn_command){.argv = SH("echo $A-$HOME"), .env = ARGV("A=b", "PATH=/bin:/usr/bin")}, "b-\n");
    check_output(&(rn_command){.argv = ARGV("tr", "a-z", "A-Z"), .input = "shout", .input_size = 5}, "SHOUT");
    check_output(&(rn_command){.argv = ARGV("true")}, "");
    rn_output o;
    CHECK_EQ(process_output(&(rn_command){.argv = SH("echo no >&2; exit 3"), .err = RN_STDIO_PIPE}, &o), 0);
    CHECK_STR(o.err, "no\n");
    CHECK_EQ(o.how.code, 3);
    CHECK_EQ(o.out_size, 0);
    rn_output_free(&o);
}

/* More than the pipes hold, both ways at once. */
TEST(much_goes_in_and_out)
{
    enum { BYTES = 5 << 20 };
    char *text = malloc(BYTES);
    for (size_t i = 0; i < BYTES; i++)
        text[i] = "0123456789abcdef\n"[i % 17];
    rn_output o;
    CHECK_EQ(process_output(&(rn_command){.argv = ARGV("cat"), .input = text, .input_size = BYTES}, &o), 0);
    CHECK_EQ(o.out_size, BYTES);
    CHECK(memcmp(o.out, text, BYTES) == 0);
    rn_output_free(&o);
    /* One that does not read all of it. */
    CHECK_EQ(process_output(&(rn_command){.argv = ARGV("head", "-c", "3"), .input = text, .input_size = BYTES}, &o), 0);
    CHECK_STR(o.out, "012");
    rn_output_free(&o);
    free(text);
}

TEST(through_its_pipes)
{
    int before = open_descriptors();
    rn_process *p;
    char buf[64];
    REQUIRE(process_start(&(rn_command){.argv = ARGV("cat"), .in = RN_STDIO_PIPE, .out = RN_STDIO_PIPE}, &p) == 0);
    CHECK(process_err(p) == NULL);
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(net_write(process_in(p), "ping", 4), 4);
        CHECK_EQ(net_read_full(process_out(p), buf, 4), 0);
        CHECK(memcmp(buf, "ping", 4) == 0);
    }
    rn_exit how = {.code = 9};
    rn_context *soon = ctx_with_timeout(NULL, RN_MILLISECOND);
    CHECK_EQ(process_wait_ctx(soon, p, &how), RN_ETIMEOUT); /* gives up the wait alone */
    ctx_cancel(soon);
    CHECK_EQ(how.code, 9);
    net_close(process_in(p));
    CHECK_EQ(net_read(process_out(p), buf, sizeof buf), 0);
    CHECK_EQ(process_wait(p, &how), 0);
    CHECK_EQ(how.code, 0);
    CHECK_EQ(process_wait(p, &how), 0); /* and again */
    CHECK_EQ(process_kill(p), -ESRCH);
    process_free(p);
    await_quiet();
    CHECK(open_descriptors() <= before);
    await_no_wakers();
}

TEST(files_and_descriptors)
{
    char path[] = "/tmp/runnel-process-XXXXXX", text[32] = "";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    rn_exit how;
    CHECK_EQ(process_run(&(rn_command){.argv = SH("echo a"), .out = RN_STDIO_FILE(path)}, &how), 0);
    CHECK_EQ(process_run(&(rn_command){.argv = SH("echo b >&2"), .err = RN_STDIO_APPEND(path)}, &how), 0);
    CHECK_EQ(process_run(&(rn_command){.argv = SH("cat; echo c >&0"),
                                       .in = RN_STDIO_FILE(path),
                                       .out = RN_STDIO_NULL,
                                       .err = RN_STDIO_NULL},
                         &how),
             0);
    CHECK_EQ(process_run(&(rn_command){.argv = SH("echo d"), .out = RN_STDIO_APPEND(path)}, &how), 0);
    CHECK_EQ(pread(fd, text, sizeof text, 0), 6);
    CHECK(memcmp(text, "a\nb\nd\n", 6) == 0);
    lseek(fd, 2, SEEK_SET);
    check_output(&(rn_command){.argv = ARGV("cat"), .in = RN_STDIO_FD(fd)}, "b\nd\n");
    int more[] = {open("/dev/null", O_RDONLY | O_CLOEXEC), open(path, O_RDONLY | O_CLOEXEC)};
    check_output(&(rn_command){.argv = SH("cat <&3; cat <&4"), .fds = more, .fds_n = 2}, "a\nb\nd\n");
    close(more[0]);
    close(more[1]);
    close(fd);
    unlink(path);
}

/* An end of rn_pipe blocks for the child, and stays non-blocking here. */
TEST(a_pipe_of_ours_for_a_child)
{
    rn_conn *r, *w;
    char buf[16];
    REQUIRE(rn_pipe(&r, &w) == 0);
    rn_process *p;
    REQUIRE(process_start(&(rn_command){.argv = SH("read line; echo \"got $line\""),
                                        .in = RN_STDIO_FD(rn_net_fd(r)),
                                        .out = RN_STDIO_PIPE},
                          &p) == 0);
    net_free(r);
    CHECK(fcntl(rn_net_fd(w), F_GETFL) & O_NONBLOCK);
    CHECK_EQ(net_write(w, "x\n", 2), 2);
    CHECK_EQ(net_read_full(process_out(p), buf, 6), 0);
    CHECK(memcmp(buf, "got x\n", 6) == 0);
    process_wait(p, NULL);
    process_free(p);
    net_free(w);
}

/* The child has none that is ours: of what it has beyond 2, all may be passed on. */
TEST(no_descriptor_leaks_to_a_child)
{
    rn_conn *r, *w;
    rn_listener *l;
    rn_output o;
    REQUIRE(rn_pipe(&r, &w) == 0);
    REQUIRE(net_listen("tcp", "127.0.0.1:0", &l) == 0);
    CHECK_EQ(
        process_output(&(rn_command){.argv = SH("for f in /proc/$$/fd/*; do [ -e $f ] && echo ${f##*/}; done; :")}, &o),
        0);
    CHECK(memcmp(o.out, "0\n1\n", 4) == 0);
    for (char *line = strtok(o.out, "\n"); line; line = strtok(NULL, "\n"))
        if (atoi(line) > 2 && (fcntl(atoi(line), F_GETFD) & FD_CLOEXEC))
            FAIL("descriptor %s is the child's as well", line);
    rn_output_free(&o);
    net_listener_free(l);
    net_free(r);
    net_free(w);
}

static unsigned long long mask_of(const char *status, const char *name)
{
    const char *line = strstr(status, name);
    return line ? strtoull(line + strlen(name), NULL, 16) : ~0ULL;
}

TEST(signals_are_as_at_birth)
{
    skip_when_emulated();
    const unsigned long long libcs = 3ULL << 31; /* which it does not touch */
    sigset_t block;
    rn_output o;
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &block, NULL);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    CHECK_EQ(process_output(&(rn_command){.argv = ARGV("cat", "/proc/self/status")}, &o), 0);
    CHECK_EQ(mask_of(o.out, "SigBlk:"), 0);
    CHECK_EQ(mask_of(o.out, "SigIgn:") & ~libcs, 0);
    CHECK_EQ(mask_of(o.out, "SigCgt:"), 0);
    rn_output_free(&o);
}

/* ---- ends ------------------------------------------------------------------------------------------ */

TEST(a_context_ends_it)
{
    rn_process *p;
    rn_exit how;
    rn_context *ctx = ctx_with_cancel(NULL);
    REQUIRE(process_start_ctx(ctx, &(rn_command){.argv = ARGV("sleep", "1000")}, &p) == 0);
    ctx_cancel(ctx);
    CHECK_EQ(process_wait(p, &how), RN_ECANCELED);
    CHECK_EQ(how.signal, SIGKILL);
    process_free(p);
    CHECK_EQ(process_start_ctx(ctx, &(rn_command){.argv = ARGV("sleep", "1000")}, &p), RN_ECANCELED);
    ctx = ctx_with_timeout(NULL, 5 * RN_MILLISECOND);
    CHECK_EQ(process_run_ctx(ctx, &(rn_command){.argv = ARGV("sleep", "1000")}, &how), RN_ETIMEOUT);
    CHECK_EQ(how.signal, SIGKILL);
    ctx_cancel(ctx);
    await_quiet();
    CHECK(no_children());
    CHECK_EQ(rn_num_contexts(), 0);
}

TEST(it_may_tidy_up_first)
{
    rn_process *p;
    rn_exit how;
    char ready;
    rn_context *ctx = ctx_with_cancel(NULL);
    rn_command c = {.argv = SH("trap 'exit 5' TERM; echo; while :; do sleep 0.01; done"),
                    .out = RN_STDIO_PIPE,
                    .cancel_signal = SIGTERM,
                    .grace = RN_HOUR};
    REQUIRE(process_start_ctx(ctx, &c, &p) == 0);
    CHECK_EQ(net_read(process_out(p), &ready, 1), 1);
    ctx_cancel(ctx);
    CHECK_EQ(process_wait(p, &how), RN_ECANCELED);
    CHECK_EQ(how.code, 5);
    process_free(p);
    /* One that will not go. */
    ctx = ctx_with_cancel(NULL);
    c.argv = SH("trap '' TERM; echo; while :; do sleep 0.01; done");
    c.grace = 20 * RN_MILLISECOND;
    REQUIRE(process_start_ctx(ctx, &c, &p) == 0);
    CHECK_EQ(net_read(process_out(p), &ready, 1), 1);
    ctx_cancel(ctx);
    CHECK_EQ(process_wait(p, &how), RN_ECANCELED);
    CHECK_EQ(how.signal, SIGKILL);
    process_free(p);
}

static void cancel_when_told(rn_context *ctx, int fd)
{
    char byte;
    rn_conn *told;
    REQUIRE(rn_conn_of_fd(fd, &told) == 0);
    CHECK_EQ(net_read(told, &byte, 1), 1);
    ctx_cancel(ctx);
    net_free(told);
}

/* Runs c, whose context is canceled when it writes to its descriptor 3. */
static void output_until_it_says(rn_command *c, rn_output *o)
{
    int ends[2];
    rn_waitgroup told = RN_WAITGROUP_INIT;
    rn_context *ctx = ctx_with_cancel(NULL);
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    wg_go(&told, cancel_when_told, ctx, ends[0]);
    c->fds = &ends[1];
    c->fds_n = 1;
    CHECK_EQ(process_output_ctx(ctx, c, o), RN_ECANCELED);
    wg_wait(&told);
    close(ends[1]);
}

TEST(the_output_so_far)
{
    rn_output o;
    /* A child of the child keeps the pipe open. */
    rn_command c = {.argv = SH("echo start; echo >&3; sleep 1000; :"), .new_group = true};
    output_until_it_says(&c, &o);
    CHECK_STR(o.out, "start\n");
    rn_output_free(&o);
}

/* What it says while it ends, which is more than a pipe holds, is there as well. */
static void check_last_words(rn_duration grace)
{
    enum { WORDS = 200000 };
    rn_output o;
    rn_command c = {.argv = SH("trap 'sleep 0.05; head -c 200000 /dev/zero; exit 3' TERM\n"
                               "echo >&3; while :; do sleep 0.01; done"),
                    .cancel_signal = SIGTERM,
                    .grace = grace};
    output_until_it_says(&c, &o);
    CHECK_EQ(o.out_size, WORDS);
    CHECK_EQ(o.how.code, 3);
    rn_output_free(&o);
}

TEST(last_words)
{
    check_last_words(100 * RN_SECOND);
    check_last_words(0);
}

/* What it has yet to read when its context ends, which is more than a pipe holds, it can read while it ends. */
TEST(last_input)
{
    static char input[200000];
    rn_output o;
    rn_command c = {.argv = SH("trap 'wc -c; exit 3' TERM\n"
                               "echo >&3; while :; do sleep 0.01; done"),
                    .input = input,
                    .input_size = sizeof input,
                    .cancel_signal = SIGTERM,
                    .grace = RN_HOUR};
    output_until_it_says(&c, &o);
    CHECK_STR(o.out, "200000\n");
    CHECK_EQ(o.how.code, 3);
    rn_output_free(&o);
}

TEST(a_group_ends_as_a_whole)
{
    rn_process *p;
    char byte;
    rn_command c = {.argv = SH("sleep 1000 & echo; wait"), .out = RN_STDIO_PIPE, .new_group = true};
    REQUIRE(process_start(&c, &p) == 0);
    CHECK_EQ(net_read(process_out(p), &byte, 1), 1);
    CHECK_EQ(process_kill(p), 0);
    CHECK_EQ(net_read(process_out(p), &byte, 1), 0); /* the sleep has gone as well */
    process_wait(p, NULL);
    process_free(p);
}

TEST(done_in_a_select)
{
    rn_process *p;
    REQUIRE(process_start(&(rn_command){.argv = ARGV("cat"), .in = RN_STDIO_PIPE}, &p) == 0);
    CHECK_EQ(chan_select(on_recv(process_done(p), NULL), on_timeout(RN_MILLISECOND)), 1);
    net_close(process_in(p));
    CHECK_EQ(chan_select(on_recv(process_done(p), NULL)), 0);
    process_free(p);
}

/* ---- many ------------------------------------------------------------------------------------------ */

static void one_of_many(rn_waitgroup *wg, int i)
{
    char script[64], wanted[32];
    snprintf(script, sizeof script, "read x; echo $x; exit %d", i % 100);
    snprintf(wanted, sizeof wanted, "line %d\n", i);
    rn_output o;
    CHECK_EQ(process_output(&(rn_command){.argv = SH(script), .input = wanted, .input_size = strlen(wanted)}, &o), 0);
    CHECK_STR(o.out, wanted);
    CHECK_EQ(o.how.code, i % 100);
    rn_output_free(&o);
    wg_done(wg);
}

static void many(void)
{
    enum { MANY = 100 };
    int before = open_descriptors();
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, MANY);
    for (int i = 0; i < MANY; i++)
        go(one_of_many, &wg, i);
    wg_wait(&wg);
    await_quiet();
    CHECK(open_descriptors() <= before);
    CHECK(no_children());
}

TEST(from_many_goroutines_at_once)
{
    many();
}

/* ---- without pidfds --------------------------------------------------------------------------------- */

TEST(where_the_kernel_has_no_pidfds)
{
    rn__os_no_pidfd = true;
    rn_exit how;
    CHECK_EQ(run("exit 4").code, 4);
    rn_context *ctx = ctx_with_timeout(NULL, 5 * RN_MILLISECOND);
    CHECK_EQ(process_run_ctx(ctx, &(rn_command){.argv = ARGV("sleep", "1000")}, &how), RN_ETIMEOUT);
    CHECK_EQ(how.signal, SIGKILL);
    ctx_cancel(ctx);
    many();
}

/* ---- nobody waits ------------------------------------------------------------------------------------ */

TEST(freed_at_once_it_is_still_reaped)
{
    for (int i = 0; i < 20; i++) {
        rn_process *p;
        REQUIRE(process_start(&(rn_command){.argv = ARGV("true")}, &p) == 0);
        process_free(p);
    }
    await_quiet();
    CHECK(no_children());
}

TEST(others_take_our_children)
{
    rn_process *p;
    signal(SIGCHLD, SIG_IGN);
    REQUIRE(process_start(&(rn_command){.argv = ARGV("true")}, &p) == 0);
    CHECK_EQ(process_wait(p, NULL), -ECHILD);
    process_free(p);
}

static rn_process *kept;

static void leave_one_running(void)
{
    rn_process *p;
    REQUIRE(process_start(&(rn_command){.argv = ARGV("sleep", "1000"), .out = RN_STDIO_PIPE}, &kept) == 0);
    REQUIRE(process_start(&(rn_command){.argv = ARGV("sleep", "0.01")}, &p) == 0);
    process_free(p);
}

TEST_PLAIN(a_run_ends_before_its_processes)
{
    int before = open_descriptors();
    for (int i = 0; i < 3; i++) {
        rn_run(leave_one_running);
        CHECK_EQ(process_kill(kept), 0);
        process_free(kept);
        CHECK(open_descriptors() <= before);
    }
}
