/* Files, paths, directories, and calls that are given up. */
#define _GNU_SOURCE 1
#include "../on_purpose.h"
#include "../quiet.h"
#include "net/fd.h"
#include "sched/sched.h"
#include <errno.h>
#include <pthread.h>
#include <runnel.h>
#include <runnel/fd.h>
#include <runnel/file.h>
#include <runnel/test.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/runnel-file-XXXXXX";

static const char *in_dir(const char *name)
{
    static char path[4][300];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void begin(void)
{
    REQUIRE(mkdtemp(dir) != NULL);
}

static void end(void)
{
    CHECK_EQ(rn_path_remove_all(dir), 0);
    CHECK_EQ(rn_path_remove_all(dir), 0); /* what is not there is no error */
}

/* Each check is done without a context, and with one that could end it. */
static void read_and_write(rn_context *ctx)
{
    rn_file *f;
    char buf[16] = "";
    struct stat s;
    CHECK_EQ(file_open_ctx(ctx, in_dir("none"), O_RDONLY, 0, &f), -ENOENT);
    REQUIRE(file_open_ctx(ctx, in_dir("a"), O_RDWR | O_CREAT | O_TRUNC, 0640, &f) == 0);
    CHECK(fcntl(file_fd(f), F_GETFD) & FD_CLOEXEC);
    CHECK_EQ(file_write_ctx(ctx, f, "hello world", 11), 11);
    CHECK_EQ(file_read_ctx(ctx, f, buf, sizeof buf), 0);
    CHECK_EQ(file_seek(f, 6, SEEK_SET), 6);
    CHECK_EQ(file_read_ctx(ctx, f, buf, sizeof buf), 5);
    CHECK(memcmp(buf, "world", 5) == 0);
    CHECK_EQ(file_pwrite_ctx(ctx, f, "J", 1, 0), 1);
    CHECK_EQ(file_pread_ctx(ctx, f, buf, 5, 0), 5);
    CHECK(memcmp(buf, "Jello", 5) == 0);
    CHECK_EQ(file_pread_ctx(ctx, f, buf, 5, 100), 0);
    CHECK_EQ(file_pread_ctx(ctx, f, buf, 5, -1), RN_EINVAL);
    CHECK_EQ(file_sync_ctx(ctx, f), 0);
    CHECK_EQ(file_datasync_ctx(ctx, f), 0);
    CHECK_EQ(file_truncate_ctx(ctx, f, 3), 0);
    CHECK_EQ(file_stat_ctx(ctx, f, &s), 0);
    CHECK_EQ(s.st_size, 3);
    CHECK_EQ(s.st_mode & 0777, 0640);
    CHECK_EQ(file_set_deadline(f, rn_now()), -EPERM);
    struct iovec out[] = {{"abc", 3}, {"", 0}, {"defg", 4}}, in[] = {{buf, 2}, {buf + 2, 14}};
    CHECK_EQ(file_seek(f, 0, SEEK_SET), 0);
    CHECK_EQ(file_writev_ctx(ctx, f, out, 3), 7);
    CHECK_EQ(file_seek(f, 0, SEEK_SET), 0);
    CHECK_EQ(file_readv_ctx(ctx, f, in, 2), 7);
    CHECK(memcmp(buf, "abcdefg", 7) == 0);
    CHECK_EQ(file_close(f), 0);
    CHECK_EQ(file_close(f), RN_ECLOSED);
    CHECK_EQ(file_read_ctx(ctx, f, buf, 1), RN_ECLOSED);
    CHECK_EQ(file_sync_ctx(ctx, f), RN_ECLOSED);
    CHECK_EQ(file_seek(f, 0, SEEK_SET), RN_ECLOSED);
    file_free(f);
}

TEST(one_file)
{
    begin();
    int before = open_descriptors();
    rn_context *ctx = ctx_with_cancel(NULL);
    read_and_write(NULL);
    read_and_write(ctx);
    ctx_cancel(ctx);
    rn_file *f;
    char byte;
    CHECK_EQ(file_open_ctx(ctx, in_dir("a"), O_RDONLY, 0, &f), RN_ECANCELED);
    REQUIRE(file_open(in_dir("a"), O_RDONLY, 0, &f) == 0);
    CHECK_EQ(file_read_ctx(ctx, f, &byte, 1), RN_ECANCELED);
    CHECK_EQ(file_write(f, "x", 1), -EBADF);
    CHECK_EQ(file_read(f, &byte, 1), 1);
    file_free(f);
    await_quiet();
    CHECK(open_descriptors() <= before);
    CHECK_EQ(rn_num_descriptors(), 0);
    end();
}

static void whole_files(rn_context *ctx)
{
    size_t sizes[] = {0, 1, 511, 512, 4096, 100000, 3000000}, size;
    char *data;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *text = malloc(sizes[i] + 1);
        for (size_t k = 0; k < sizes[i]; k++)
            text[k] = (char)(k * 31 + k / 255);
        CHECK_EQ(file_write_all_ctx(ctx, in_dir("w"), text, sizes[i], 0600), 0);
        REQUIRE(file_read_all_ctx(ctx, in_dir("w"), &data, &size) == 0);
        CHECK_EQ(size, sizes[i]);
        CHECK(memcmp(data, text, size) == 0 && data[size] == 0);
        free(data);
        free(text);
    }
    CHECK_EQ(file_read_all_ctx(ctx, in_dir("none"), &data, &size), -ENOENT);
    CHECK_EQ(file_read_all_ctx(ctx, dir, &data, &size), -EISDIR);
    REQUIRE(file_read_all_ctx(ctx, "/proc/self/status", &data, &size) == 0); /* of size 0, it says */
    CHECK(strncmp(data, "Name:", 5) == 0 && strlen(data) == size);
    free(data);
}

TEST(the_whole_of_a_file)
{
    begin();
    rn_context *ctx = ctx_with_cancel(NULL);
    whole_files(NULL);
    whole_files(ctx);
    ctx_cancel(ctx);
    end();
}

static void by_name(rn_context *ctx)
{
    struct stat s;
    char text[20];
    CHECK_EQ(rn_path_mkdir_ctx(ctx, in_dir("d"), 0755), 0);
    CHECK_EQ(rn_path_mkdir_ctx(ctx, in_dir("d"), 0755), -EEXIST);
    CHECK_EQ(rn_path_mkdir_all_ctx(ctx, in_dir("d/e//f/g/"), 0755), 0);
    CHECK_EQ(rn_path_mkdir_all_ctx(ctx, in_dir("d/e/f"), 0755), 0);
    CHECK_EQ(file_write_all_ctx(ctx, in_dir("d/x"), "1", 1, 0600), 0);
    CHECK_EQ(rn_path_mkdir_all_ctx(ctx, in_dir("d/x/y"), 0755), -ENOTDIR);
    CHECK_EQ(rn_path_rename_ctx(ctx, in_dir("d/x"), in_dir("d/y")), 0);
    CHECK_EQ(rn_path_stat_ctx(ctx, in_dir("d/x"), &s), -ENOENT);
    CHECK_EQ(rn_path_link_ctx(ctx, in_dir("d/y"), in_dir("d/z")), 0);
    CHECK_EQ(rn_path_stat_ctx(ctx, in_dir("d/z"), &s), 0);
    CHECK_EQ(s.st_nlink, 2);
    CHECK_EQ(rn_path_chmod_ctx(ctx, in_dir("d/z"), 0400), 0);
    CHECK_EQ(rn_path_symlink_ctx(ctx, "nowhere", in_dir("d/l")), 0);
    CHECK_EQ(rn_path_readlink_ctx(ctx, in_dir("d/l"), text, sizeof text), 7);
    CHECK_STR(text, "nowhere");
    CHECK_EQ(rn_path_readlink_ctx(ctx, in_dir("d/l"), text, 4), 3);
    CHECK_STR(text, "now");
    CHECK_EQ(rn_path_stat_ctx(ctx, in_dir("d/l"), &s), -ENOENT);
    CHECK_EQ(rn_path_lstat_ctx(ctx, in_dir("d/l"), &s), 0);
    CHECK(S_ISLNK(s.st_mode));
    rn_dir *d;
    rn_dirent e;
    char names[64] = "";
    REQUIRE(dir_open_ctx(ctx, in_dir("d"), &d) == 0);
    CHECK_EQ(dir_count(d), 4);
    while (dir_next(d, &e))
        strcat(strcat(names, e.name), e.type == DT_DIR ? "/ " : e.type == DT_LNK ? "@ " : " ");
    CHECK_STR(names, "e/ l@ y z ");
    dir_free(d);
    CHECK_EQ(dir_open_ctx(ctx, in_dir("none"), &d), -ENOENT);
    CHECK_EQ(rn_path_remove_ctx(ctx, in_dir("d")), -ENOTEMPTY);
    CHECK_EQ(rn_path_remove_ctx(ctx, in_dir("d/l")), 0);
    CHECK_EQ(rn_path_remove_ctx(ctx, in_dir("d/e/f/g")), 0);
    CHECK_EQ(rn_path_remove_ctx(ctx, in_dir("d/none")), -ENOENT);
    CHECK_EQ(rn_path_remove_all_ctx(ctx, in_dir("d")), 0);
    CHECK_EQ(rn_path_stat_ctx(ctx, in_dir("d"), &s), -ENOENT);
}

TEST(paths_and_directories)
{
    begin();
    rn_context *ctx = ctx_with_cancel(NULL);
    by_name(NULL);
    by_name(ctx);
    ctx_cancel(ctx);
    end();
}

/* More entries than the first block of them. */
TEST(a_large_directory)
{
    enum { MANY = 500 };
    begin();
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "%03d", i);
        CHECK_EQ(file_write_all(in_dir(name), "", 0, 0600), 0);
    }
    rn_dir *d;
    REQUIRE(dir_open(dir, &d) == 0);
    CHECK_EQ(dir_count(d), MANY);
    int i = 0;
    for (rn_dirent e; dir_next(d, &e); i++)
        CHECK_EQ(atoi(e.name), i);
    CHECK_EQ(i, MANY);
    dir_free(d);
    end();
}

/* ---- calls that are given up ------------------------------------------------------------------------- */

/* A pipe that the library takes for a file whose disk is slow: a read of it blocks in the kernel. */
static rn_file *slow_file(int *other)
{
    int fds[2];
    REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
    *other = fds[1];
    return (rn_file *)(void *)rn__fd_make(fds[0], RN_FD_FILE);
}

TEST(a_read_that_is_given_up_writes_nothing)
{
    int before = open_descriptors(), feed;
    signal(SIGPIPE, SIG_IGN); /* a read that was given up before it began leaves nobody to write to */
    for (int i = 0; i < 20; i++) {
        rn_file *f = slow_file(&feed);
        rn_context *ctx = ctx_with_timeout(NULL, RN_MILLISECOND);
        char buf[8] = "untouch";
        CHECK_EQ(file_read_ctx(ctx, f, buf, sizeof buf), RN_ETIMEOUT);
        CHECK_EQ(file_close(f), 0);
        file_free(f); /* the call that was given up still holds the descriptor */
        ssize_t n = write(feed, "12345678", 8);
        CHECK(n == 8 || (n < 0 && errno == EPIPE));
        await_quiet();
        CHECK_STR(buf, "untouch");
        close(feed);
        ctx_cancel(ctx);
    }
    CHECK(open_descriptors() <= before);
    CHECK_EQ(rn_num_descriptors(), 0);
}

static void feed_later(rn_conn *w)
{
    rn_yield();
    CHECK_EQ(net_write(w, "12345678", 8), 8);
}

TEST(a_read_that_comes_in_time)
{
    int feed;
    rn_conn *w;
    for (int i = 0; i < 50; i++) {
        rn_file *f = slow_file(&feed);
        REQUIRE(rn_conn_of_fd(feed, &w) == 0);
        rn_context *ctx = ctx_with_timeout(NULL, RN_HOUR);
        char buf[9] = "";
        go(feed_later, w);
        CHECK_EQ(file_read_ctx(ctx, f, buf, 8), 8);
        CHECK_STR(buf, "12345678");
        file_free(f);
        net_free(w);
        ctx_cancel(ctx);
    }
}

/* While one is in a read that blocks the others run, with one processor as well. */
static void count(rn_atomic(long) * n, rn_atomic(bool) * stop)
{
    while (!rn_load_relaxed(stop)) {
        rn_add_relaxed(n, 1);
        rn_yield();
    }
}

static void read_slowly(rn_file *f, chan(ssize_t) done)
{
    char buf[8];
    chan_send(done, file_read(f, buf, sizeof buf));
}

TEST(a_blocked_read_stalls_nobody)
{
    int feed;
    rn_atomic(long) n = 0;
    rn_atomic(bool) stop = false;
    chan(ssize_t) done = chan_make(ssize_t, 10);
    rn_file *f[10];
    rn_set_procs(1);
    go(count, &n, &stop);
    int feeds[10];
    for (int i = 0; i < 10; i++) {
        f[i] = slow_file(&feed);
        feeds[i] = feed;
        go(read_slowly, f[i], done);
    }
    long before = rn_load_relaxed(&n);
    while (rn_load_relaxed(&n) < before + 1000)
        rn_sleep(RN_MILLISECOND);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(write(feeds[i], "12345678", 8), 8);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(chan_recv(done), 8);
    rn_store_relaxed(&stop, true);
    await_quiet();
    for (int i = 0; i < 10; i++) {
        file_free(f[i]);
        close(feeds[i]);
    }
    chan_free(done);
}

/* Opening a FIFO waits for its other end; given up, it is closed when it succeeds after all. */
TEST(an_open_that_is_given_up)
{
    begin();
    const char *path = in_dir("fifo");
    rn_file *f = NULL;
    REQUIRE(mkfifo(path, 0600) == 0);
    int before = open_descriptors(), w = -1;
    for (rn_duration patience = RN_MILLISECOND; w < 0; patience *= 2) { /* until the call had begun */
        rn_context *ctx = ctx_with_timeout(NULL, patience);
        CHECK_EQ(file_open_ctx(ctx, path, O_RDONLY, 0, &f), RN_ETIMEOUT);
        CHECK(f == NULL);
        w = open(path, O_WRONLY | O_NONBLOCK); /* fails while nobody is opening it for reading */
        int both = open(path, O_RDWR);         /* for a call that comes to it only now */
        await_quiet();
        close(both);
        ctx_cancel(ctx);
    }
    close(w);
    CHECK(open_descriptors() <= before);
    end();
}

TEST(fifos_wait_as_connections)
{
    begin();
    const char *path = in_dir("fifo");
    rn_file *f;
    char buf[8];
    REQUIRE(mkfifo(path, 0600) == 0);
    REQUIRE(file_open(path, O_RDWR, 0, &f) == 0);
    rn_context *ctx = ctx_with_timeout(NULL, RN_MILLISECOND);
    CHECK_EQ(file_read_ctx(ctx, f, buf, sizeof buf), RN_ETIMEOUT);
    ctx_cancel(ctx);
    CHECK_EQ(file_set_deadline(f, rn_now() + RN_MILLISECOND), 0);
    CHECK_EQ(file_read(f, buf, sizeof buf), RN_ETIMEOUT);
    CHECK_EQ(file_set_deadline(f, 0), 0);
    CHECK_EQ(file_write(f, "abc", 3), 3);
    CHECK_EQ(file_read(f, buf, sizeof buf), 3);
    CHECK_EQ(file_pread(f, buf, 1, 0), -ESPIPE);
    file_free(f);
    REQUIRE(file_open("/dev/null", O_RDWR, 0, &f) == 0);
    CHECK_EQ(file_write(f, "abc", 3), 3);
    CHECK_EQ(file_read(f, buf, sizeof buf), 0);
    file_free(f);
    REQUIRE(file_open("/dev/zero", O_RDONLY, 0, &f) == 0);
    CHECK_EQ(file_read(f, buf, sizeof buf), sizeof buf);
    file_free(f);
    end();
}

/* ---- any blocking call ------------------------------------------------------------------------------- */

struct work {
    int from; /* a descriptor to block on */
    rn_atomic(int) calls, *drops;
};

static void blocks(void *arg)
{
    struct work *w = arg;
    char byte;
    rn_add_relaxed(&w->calls, 1);
    CHECK_EQ(read(w->from, &byte, 1), 1);
}

static void drops(void *arg)
{
    struct work *w = arg;
    rn_add_relaxed(w->drops, 1);
    free(w);
}

static struct work *work_on(int fd, rn_atomic(int) * dropped)
{
    struct work *w = calloc(1, sizeof *w);
    w->from = fd;
    w->drops = dropped;
    return w;
}

static void cancel_the_second_call(rn_context *ctx, struct work *w)
{
    while (rn_load_relaxed(&w->calls) < 2)
        rn_sleep(RN_MILLISECOND);
    ctx_cancel_cause(ctx, RN_ECANCELED);
}

TEST(any_blocking_call_can_be_given_up)
{
    RACES_ON_PURPOSE(); /* the call that was given up still reads when its descriptor is closed */
    int fds[2];
    rn_atomic(int) dropped = 0;
    REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
    struct work *w = work_on(fds[0], &dropped);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(rn_blocking_ctx(NULL, blocks, w, drops), 0);
    CHECK_EQ(w->calls, 1);
    CHECK_EQ(dropped, 0);
    rn_context *ctx = ctx_with_cancel(NULL);
    go(cancel_the_second_call, ctx, w);
    CHECK_EQ(rn_blocking_ctx(ctx, blocks, w, drops), RN_ECANCELED);
    CHECK_EQ(dropped, 0); /* it is still in use */
    CHECK_EQ(write(fds[1], "x", 1), 1);
    await_quiet();
    CHECK_EQ(dropped, 1);
    CHECK_EQ(rn_blocking_ctx(ctx, blocks, work_on(fds[0], &dropped), drops), RN_ECANCELED);
    CHECK_EQ(dropped, 2); /* not begun */
    ctx_cancel(ctx);
    close(fds[0]);
    close(fds[1]);
}

/* A run that ends waits for a call that was given up, and disposes of it. */
struct left {
    int fds[2];
    rn_atomic(int) dropped;
};

/* Whether the call has begun by then is left to chance. */
static void give_up(struct left *l)
{
    rn_context *ctx = ctx_with_timeout(NULL, RN_MILLISECOND);
    CHECK_EQ(rn_blocking_ctx(ctx, blocks, work_on(l->fds[0], &l->dropped), drops), RN_ETIMEOUT);
    CHECK_EQ(write(l->fds[1], "x", 1), 1);
    ctx_cancel(ctx);
}

TEST_PLAIN(a_run_that_ends_disposes_of_calls)
{
    struct left l = {.dropped = 0};
    for (int i = 1; i <= 20; i++) {
        REQUIRE(pipe2(l.fds, O_CLOEXEC) == 0);
        rn_run(give_up, &l);
        CHECK_EQ(l.dropped, i);
        close(l.fds[0]);
        close(l.fds[1]);
    }
}

/* Who waits for a call when the run ends stands in line for what the end disposes of. */
static void ask_and_wait(struct work *w, rn_context *ctx)
{
    (void)rn_blocking_ctx(ctx, blocks, w, NULL);
}

static void leave_waiting(struct left *l, rn_context *ctx)
{
    static struct work works[2];
    works[0].from = works[1].from = l->fds[0];
    go(ask_and_wait, &works[0], NULL);
    go(ask_and_wait, &works[1], ctx);
    for (int i = 0; i < 4; i++)
        rn_sleep(RN_MILLISECOND);
    CHECK_EQ(write(l->fds[1], "xx", 2), 2);
}

TEST_PLAIN(a_run_that_ends_leaves_who_waits)
{
    struct left l;
    for (int i = 0; i < 20; i++) {
        rn_context *ctx = ctx_with_cancel(NULL);
        REQUIRE(pipe2(l.fds, O_CLOEXEC) == 0);
        rn_run(leave_waiting, &l, ctx);
        ctx_cancel(ctx);
        close(l.fds[0]);
        close(l.fds[1]);
    }
}

/* ---- many, and plain threads -------------------------------------------------------------------------- */

static void one_of_many(rn_waitgroup *wg, int i)
{
    char name[32], text[64], *data;
    size_t size;
    snprintf(name, sizeof name, "many-%d", i);
    char path[300];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    for (int k = 0; k < 20; k++) {
        int n = snprintf(text, sizeof text, "%d in round %d", i, k);
        CHECK_EQ(file_write_all(path, text, (size_t)n, 0600), 0);
        REQUIRE(file_read_all(path, &data, &size) == 0);
        CHECK_STR(data, text);
        free(data);
    }
    CHECK_EQ(rn_path_remove(path), 0);
    wg_done(wg);
}

TEST(many_at_once)
{
    enum { MANY = 100 };
    begin();
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, MANY);
    for (int i = 0; i < MANY; i++)
        go(one_of_many, &wg, i);
    wg_wait(&wg);
    CHECK_EQ(rn_num_descriptors(), 0);
    end();
}

TEST_PLAIN(without_a_run)
{
    begin();
    read_and_write(NULL);
    rn_context *ctx = ctx_with_cancel(NULL);
    read_and_write(ctx);
    by_name(ctx);
    ctx_cancel(ctx);
    end();
}
