/* net_copy, reader_copy, reader_copy_to_file: what comes from the one is passed on to the other, until the end or an error
 * of either; nothing is closed, and what was written is counted. */
#include <errno.h>
#include <pthread.h>
#include <runnel.h>
#include <runnel/fd.h>
#include <runnel/file.h>
#include <runnel/net.h>
#include <runnel/reader.h>
#include <runnel/test.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 32 << 10 }; /* what is read at a time */

/* A connection: what is written to `in` comes out of `out`, and the other way too unless it is a pipe. */
struct line {
    rn_conn *in, *out;
};

static struct line tcp(void)
{
    rn_listener *l;
    rn_addr at;
    char text[RN_ADDR_TEXT];
    struct line line;
    REQUIRE(net_listen("tcp", "127.0.0.1:0", &l) == 0);
    net_listener_addr(l, &at);
    REQUIRE(net_dial("tcp", addr_format(&at, text), &line.in) == 0);
    REQUIRE(net_accept(l, &line.out) == 0);
    net_listener_free(l);
    return line;
}

static struct line local(void)
{
    struct line line;
    REQUIRE(net_pair(&line.in, &line.out) == 0);
    return line;
}

static struct line piped(void)
{
    struct line line;
    REQUIRE(rn_pipe(&line.out, &line.in) == 0);
    return line;
}

static void cut(struct line *line)
{
    net_free(line->in);
    net_free(line->out);
}

/* A text in which no two pieces are alike. */
static char *text_of(size_t n)
{
    char *text = malloc(n + 1);
    REQUIRE(text != NULL);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)(i * 7 + i / 251);
    return text;
}

static void write_and_end(rn_conn *c, const char *text, size_t n)
{
    CHECK_EQ(net_write(c, text, n), n);
    net_close(c);
}

static void copy_and_end(rn_conn *to, rn_conn *from, size_t n)
{
    uint64_t bytes = 77;
    CHECK_EQ(net_copy(to, from, &bytes), 0);
    CHECK_EQ(bytes, n);
    CHECK_EQ(net_close(from), 0);
    CHECK_EQ(net_close(to), 0);
}

/* From `in` by way of the copy to `out`. */
static void pass(struct line first, struct line second, size_t n)
{
    char *text = text_of(n), *got = text_of(n), more;
    rn_waitgroup all = {0};
    memset(got, 0, n);
    wg_go(&all, write_and_end, first.in, text, n);
    wg_go(&all, copy_and_end, second.in, first.out, n);
    if (n)
        CHECK_EQ(net_read_full(second.out, got, n), 0);
    CHECK_EQ(net_read(second.out, &more, 1), 0);
    CHECK(memcmp(got, text, n) == 0);
    wg_wait(&all);
    free(text);
    free(got);
    cut(&first);
    cut(&second);
}

TEST(all_bytes_come_through_and_are_counted)
{
    const size_t sizes[] = {0, 1, PIECE - 1, PIECE, PIECE + 1, 1 << 20};
    struct line (*const kinds[])(void) = {tcp, local, piped};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (size_t from = 0; from < 3; from++)
            for (size_t to = 0; to < 3; to++)
                pass(kinds[from](), kinds[to](), sizes[i]);
    CHECK_EQ(rn_num_descriptors(), 0);
}

static void half(rn_conn *to, rn_conn *from)
{
    CHECK_EQ(net_copy(to, from, NULL), 0);
    CHECK_EQ(net_close_write(to), 0);
}

/* A proxy: question and its end, and only then the answer. */
TEST(both_directions_with_a_half_close)
{
    struct line client = tcp(), server = tcp();
    rn_waitgroup all = {0};
    char got[6];
    wg_go(&all, half, server.in, client.out);
    wg_go(&all, half, client.out, server.in);
    CHECK_EQ(net_write(client.in, "question", 8), 8);
    CHECK_EQ(net_close_write(client.in), 0);
    for (ssize_t n = 0, sum = 0; sum < 8; sum += n)
        REQUIRE((n = net_read(server.out, got, sizeof got)) > 0);
    CHECK_EQ(net_read(server.out, got, sizeof got), 0);
    CHECK_EQ(net_write(server.out, "answer", 6), 6);
    CHECK_EQ(net_close_write(server.out), 0);
    CHECK_EQ(net_read_full(client.in, got, 6), 0);
    CHECK_EQ(net_read(client.in, got, 1), 0);
    wg_wait(&all);
    cut(&client);
    cut(&server);
}

static void echo(rn_conn *c)
{
    CHECK_EQ(net_copy(c, c, NULL), 0);
    CHECK_EQ(net_close_write(c), 0);
}

TEST(a_connection_may_be_copied_to_itself)
{
    struct line line = tcp();
    rn_waitgroup all = {0};
    char got[5];
    wg_go(&all, echo, line.out);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(net_write(line.in, "hello", 5), 5);
        CHECK_EQ(net_read_full(line.in, got, 5), 0);
    }
    CHECK_EQ(net_close_write(line.in), 0);
    CHECK_EQ(net_read(line.in, got, 1), 0);
    wg_wait(&all);
    cut(&line);
}

TEST(who_reads_what_is_written_to_is_gone)
{
    struct line from = local(), to = piped();
    uint64_t bytes = 0;
    CHECK_EQ(net_write(from.in, "x", 1), 1);
    net_close(to.out);
    CHECK_EQ(net_copy(to.in, from.out, &bytes), -EPIPE);
    CHECK_EQ(bytes, 0);
    CHECK_EQ(net_write(from.in, "y", 1), 1); /* it is open still */
    cut(&from);
    cut(&to);
}

static void close_soon(rn_conn *c)
{
    rn_sleep(RN_MILLISECOND);
    net_close(c);
}

TEST(a_close_of_either_ends_it)
{
    for (int which = 0; which < 2; which++) {
        struct line from = local(), to = local();
        char *much = text_of(4 << 20);
        rn_waitgroup all = {0};
        uint64_t bytes;
        if (which) { /* so that the write waits */
            net_set_write_deadline(to.in, rn_now() + RN_MINUTE);
            while (net_try_write(to.in, much, 4 << 20) > 0)
                continue;
            CHECK_EQ(net_write(from.in, much, 100), 100);
        }
        wg_go(&all, close_soon, which ? to.in : from.out);
        CHECK_EQ(net_copy(to.in, from.out, &bytes), RN_ECLOSED);
        CHECK_EQ(bytes, 0);
        wg_wait(&all);
        free(much);
        cut(&from);
        cut(&to);
    }
}

TEST(a_deadline_ends_it_and_it_can_be_taken_up_again)
{
    struct line from = tcp(), to = tcp();
    char got[3];
    uint64_t bytes;
    CHECK_EQ(net_write(from.in, "one", 3), 3);
    net_set_read_deadline(from.out, rn_now() + 20 * RN_MILLISECOND);
    CHECK_EQ(net_copy(to.in, from.out, &bytes), RN_ETIMEOUT);
    CHECK_EQ(bytes, 3);
    CHECK_EQ(net_read_full(to.out, got, 3), 0);
    net_set_read_deadline(from.out, 0);
    CHECK_EQ(net_write(from.in, "two", 3), 3);
    net_close(from.in);
    CHECK_EQ(net_copy(to.in, from.out, &bytes), 0);
    CHECK_EQ(bytes, 3);
    CHECK_EQ(net_read_full(to.out, got, 3), 0);
    CHECK(memcmp(got, "two", 3) == 0);
    cut(&from);
    cut(&to);
}

static void cancel_soon(rn_context *ctx)
{
    rn_sleep(RN_MILLISECOND);
    ctx_cancel(ctx);
}

TEST(a_context_ends_the_wait)
{
    struct line from = tcp(), to = tcp();
    rn_context *ctx = ctx_with_cancel(ctx_background());
    rn_waitgroup all = {0};
    uint64_t bytes;
    CHECK_EQ(net_write(from.in, "one", 3), 3);
    wg_go(&all, cancel_soon, ctx);
    CHECK_EQ(net_copy_ctx(ctx, to.in, from.out, &bytes), RN_ECANCELED);
    CHECK(bytes == 0 || bytes == 3);
    wg_wait(&all);
    cut(&from);
    cut(&to);
}

static void write_for_ever(rn_conn *c)
{
    static const char much[PIECE];
    while (net_write(c, much, sizeof much) > 0)
        continue;
}

static void read_for_ever(rn_conn *c)
{
    static char much[PIECE];
    while (net_read(c, much, sizeof much) > 0)
        continue;
}

/* Neither side has to wait: nobody but the copy itself looks at the context. */
TEST(a_context_ends_one_that_never_waits)
{
    struct line from = local(), to = local();
    rn_context *ctx = ctx_with_timeout(ctx_background(), 50 * RN_MILLISECOND);
    rn_waitgroup all = {0};
    uint64_t bytes;
    wg_go(&all, write_for_ever, from.in);
    wg_go(&all, read_for_ever, to.out);
    CHECK_EQ(net_copy_ctx(ctx, to.in, from.out, &bytes), RN_ETIMEOUT);
    net_close(from.out);
    net_close(to.in);
    wg_wait(&all);
    ctx_cancel(ctx);
    cut(&from);
    cut(&to);
}

/* Between its pieces others get their turn to write. */
TEST(others_write_in_between)
{
    struct line from = local(), to = local();
    rn_waitgroup all = {0};
    wg_go(&all, write_for_ever, from.in);
    wg_go(&all, read_for_ever, to.out);
    rn_context *ctx = ctx_with_cancel(ctx_background());
    wg_go(&all, cancel_soon, ctx);
    CHECK_EQ(net_copy_ctx(ctx, to.in, from.out, NULL), RN_ECANCELED);
    CHECK_EQ(net_write(to.in, "mine", 4), 4);
    net_close(from.out);
    net_close(to.in);
    wg_wait(&all);
    cut(&from);
    cut(&to);
}

/* ---- plain threads --------------------------------------------------------------------------------------- */

static void *copy_on_a_thread(void *arg)
{
    struct line *lines = arg;
    uint64_t bytes = 0;
    int err = net_copy(lines[1].in, lines[0].out, &bytes);
    net_close(lines[1].in);
    return err ? NULL : (void *)(uintptr_t)bytes;
}

TEST(a_plain_thread_may_copy)
{
    struct line lines[2] = {tcp(), local()};
    rn_waitgroup all = {0};
    pthread_t thread;
    void *bytes;
    char *text = text_of(1 << 20), *got = text_of(1 << 20);
    REQUIRE(pthread_create(&thread, NULL, copy_on_a_thread, lines) == 0);
    wg_go(&all, write_and_end, lines[0].in, text, (size_t)1 << 20);
    CHECK_EQ(net_read_full(lines[1].out, got, 1 << 20), 0);
    wg_wait(&all);
    pthread_join(thread, &bytes);
    CHECK_EQ((uintptr_t)bytes, 1 << 20);
    CHECK(memcmp(got, text, 1 << 20) == 0);
    free(text);
    free(got);
    cut(&lines[0]);
    cut(&lines[1]);
}

/* ---- from a reader --------------------------------------------------------------------------------------- */

TEST(what_a_reader_has_begun_to_read_is_passed_on_too)
{
    struct line from = tcp(), to = tcp();
    char buf[16], *line, got[40];
    rn_reader in;
    uint64_t bytes;
    CHECK_EQ(net_write(from.in, "head\nthe rest, which is longer", 30), 30);
    net_close(from.in);
    reader_init(&in, from.out, buf, sizeof buf);
    CHECK_EQ(reader_line(&in, &line, NULL), 0);
    CHECK_STR(line, "head");
    CHECK_EQ(reader_copy(&in, to.in, &bytes), 0);
    CHECK_EQ(bytes, 25);
    net_close(to.in);
    CHECK_EQ(net_read_full(to.out, got, 25), 0);
    CHECK(memcmp(got, "the rest, which is longer", 25) == 0);
    CHECK_EQ(net_read(to.out, got, 1), 0);
    cut(&from);
    cut(&to);
}

TEST(what_a_reader_could_not_pass_on_it_keeps)
{
    struct line from = local(), to = local();
    char buf[16], got[4];
    rn_reader in;
    uint64_t bytes;
    net_set_write_deadline(to.in, rn_now() - 1);
    CHECK_EQ(net_write(from.in, "text", 4), 4);
    reader_init(&in, from.out, buf, sizeof buf);
    CHECK_EQ(reader_copy(&in, to.in, &bytes), RN_ETIMEOUT);
    CHECK_EQ(bytes, 0);
    CHECK_EQ(reader_buffered(&in), 4);
    net_set_write_deadline(to.in, 0);
    net_close(from.in);
    CHECK_EQ(reader_copy(&in, to.in, &bytes), 0);
    CHECK_EQ(bytes, 4);
    CHECK_EQ(net_read_full(to.out, got, 4), 0);
    cut(&from);
    cut(&to);
}

/* A function that goes on for ever, and does not look at its context. */
static ssize_t endless(rn_context *ctx, void *from, void *buf, size_t n)
{
    (void)ctx, (void)from;
    memset(buf, 'x', n);
    return (ssize_t)n;
}

TEST(to_a_file_and_from_one)
{
    char path[] = "/tmp/runnel_copy_XXXXXX", buf[4096];
    struct line from = tcp(), to = tcp();
    rn_waitgroup all = {0};
    rn_reader in;
    rn_file *f;
    uint64_t bytes;
    char *text = text_of(300000), *got = text_of(300000);
    REQUIRE(rn_file_of_fd(mkstemp(path), &f) == 0);
    wg_go(&all, write_and_end, from.in, text, (size_t)300000);
    reader_init(&in, from.out, buf, sizeof buf);
    CHECK_EQ(reader_copy_to_file(&in, f, &bytes), 0);
    CHECK_EQ(bytes, 300000);
    wg_wait(&all);
    CHECK_EQ(file_pread(f, got, 300000, 0), 300000);
    CHECK(memcmp(got, text, 300000) == 0);

    CHECK_EQ(file_seek(f, 299000, SEEK_SET), 299000);
    reader_init_file(&in, f, buf, sizeof buf);
    CHECK_EQ(reader_copy(&in, to.in, &bytes), 0);
    CHECK_EQ(bytes, 1000);
    CHECK_EQ(net_read_full(to.out, got, 1000), 0);
    CHECK(memcmp(got, text + 299000, 1000) == 0);

    rn_context *ctx = ctx_with_timeout(ctx_background(), 10 * RN_MILLISECOND);
    reader_init_with(&in, endless, NULL, buf, sizeof buf);
    CHECK_EQ(reader_copy_to_file_ctx(ctx, &in, f, &bytes), RN_ETIMEOUT);
    ctx_cancel(ctx);
    CHECK_EQ(file_close(f), 0);
    CHECK_EQ(reader_copy_to_file(&in, f, &bytes), RN_ECLOSED);
    CHECK_EQ(bytes, 0);
    file_free(f);
    unlink(path);
    free(text);
    free(got);
    cut(&from);
    cut(&to);
}
