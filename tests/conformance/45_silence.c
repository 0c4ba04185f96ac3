/* SEMANTICS 45: the program's stdout and stderr are its own: the library writes only when it dies or
 * is asked to. */
#include <fcntl.h>
#include <runnel.h>
#include <runnel/test.h>
#include <sys/wait.h>
#include <unistd.h>

static void forward(chan_recv_only(int) in, chan_send_only(int) out)
{
    for (int v; chan_next(in, &v);)
        chan_send(out, v);
}

static void recovers(void *arg)
{
    (void)arg;
    rn_recover();
}

static void panics(void)
{
    defer(recovers, NULL);
    rn_panic("not seen");
}

static int something_of_everything(void)
{
    chan(int) in = chan_make(int, 0), out = chan_make(int, 3);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 10; i++)
        wg_go(&wg, forward, in, out);
    for (int i = 0; i < 100; i++) {
        chan_send(in, i);
        chan_recv(out);
    }
    chan_close(in);
    wg_wait(&wg);
    panics();
    rn_context *ctx = ctx_with_timeout(ctx_background(), 5 * RN_MILLISECOND);
    int v;
    chan_select(on_recv(out, &v), on_done(ctx), on_timeout(RN_SECOND));
    ctx_cancel(ctx);
    rn_sleep(RN_MILLISECOND);
    chan_free(in);
    chan_free(out);
    return 0;
}

TEST_PLAIN(nothing_is_written)
{
    int fd[2];
    REQUIRE(pipe(fd) == 0);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        dup2(fd[1], 1);
        dup2(fd[1], 2);
        _exit(rn_run(something_of_everything));
    }
    close(fd[1]);
    char text[200];
    ssize_t n = read(fd[0], text, sizeof text - 1);
    CHECK_EQ(n, 0);
    if (n > 0) {
        text[n] = 0;
        FAIL("written: %s", text);
    }
    int status;
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
    close(fd[0]);
}
