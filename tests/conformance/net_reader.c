/* runnel/reader.h: what comes in pieces of any size is handed out in lines and parts, and no error loses any of it. */
#include <errno.h>
#include <pthread.h>
#include <runnel.h>
#include <runnel/fd.h>
#include <runnel/file.h>
#include <runnel/net.h>
#include <runnel/reader.h>
#include <runnel/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A text that is read in pieces of a size, and what its end is. */
struct text {
    const char *at;
    size_t left, piece;
    int end;
};

static ssize_t read_text(rn_context *ctx, void *from, void *buf, size_t n)
{
    struct text *t = from;
    (void)ctx;
    n = n < t->piece ? n : t->piece;
    n = n < t->left ? n : t->left;
    memcpy(buf, t->at, n);
    t->at += n;
    t->left -= n;
    return n ? (ssize_t)n : t->end;
}

static void expect_line(rn_reader *r, const char *text)
{
    char *line = NULL;
    size_t n = 0;
    CHECK_EQ(reader_line(r, &line, &n), 0);
    CHECK_STR(line, text);
    CHECK_EQ(n, strlen(text));
}

static int next_line(rn_reader *r)
{
    char *line;
    return reader_line(r, &line, NULL);
}

TEST(lines_come_whole_whatever_the_pieces_and_the_buffer)
{
    static const char all[] = "first\r\n\nthe longest one\n\r\na\rb\r\r\nlast\n";
    for (size_t piece = 1; piece < sizeof all; piece++)
        for (size_t size = sizeof "the longest one"; size <= sizeof all; size++) {
            struct text t = {all, sizeof all - 1, piece, 0};
            char buf[64];
            rn_reader r;
            reader_init_with(&r, read_text, &t, buf, size);
            expect_line(&r, "first");
            expect_line(&r, "");
            expect_line(&r, "the longest one");
            expect_line(&r, "");
            expect_line(&r, "a\rb\r");
            expect_line(&r, "last");
            CHECK_EQ(next_line(&r), RN_EEOF);
            CHECK_EQ(next_line(&r), RN_EEOF);
        }
}

TEST(a_line_that_is_too_long_is_said_so_and_can_be_had_in_pieces)
{
    struct text t = {"1234567\n12345678\n123456\r\n", 25, 100, 0};
    char buf[8], *data, piece[16];
    rn_reader r;
    reader_init_with(&r, read_text, &t, buf, sizeof buf);
    expect_line(&r, "1234567");
    CHECK_EQ(next_line(&r), RN_ETOOBIG);
    CHECK_EQ(next_line(&r), RN_ETOOBIG);
    CHECK_EQ(reader_peek(&r, 9, &data), RN_ETOOBIG);
    CHECK_EQ(reader_buffered(&r), 8);
    CHECK_EQ(reader_read(&r, piece, sizeof piece), 8);
    CHECK(memcmp(piece, "12345678", 8) == 0);
    expect_line(&r, "");
    expect_line(&r, "123456");
}

TEST(an_end_within_a_line_is_not_a_line)
{
    struct text t = {"whole\ncut o", 11, 3, 0};
    char buf[32], *line;
    size_t n;
    rn_reader r;
    reader_init_with(&r, read_text, &t, buf, sizeof buf);
    expect_line(&r, "whole");
    CHECK_EQ(reader_line(&r, &line, &n), -EPIPE);
    CHECK_STR(line, "cut o");
    CHECK_EQ(n, 5);
    CHECK_EQ(reader_line(&r, &line, &n), RN_EEOF);
}

/* The longest that may be cut off has room for its 0. */
TEST(an_end_within_the_longest_line)
{
    struct text t = {"12\n1234567", 10, 100, 0}, full = {"12345678", 8, 100, 0};
    char buf[9] = {0}, *line;
    rn_reader r;
    buf[8] = 'x';
    reader_init_with(&r, read_text, &t, buf, 8);
    expect_line(&r, "12");
    CHECK_EQ(reader_line(&r, &line, NULL), -EPIPE);
    CHECK_STR(line, "1234567");
    reader_init_with(&r, read_text, &full, buf, 8);
    CHECK_EQ(reader_line(&r, &line, NULL), RN_ETOOBIG);
    CHECK_EQ(buf[8], 'x');
}

TEST(zeros_are_bytes_as_others)
{
    struct text t = {"a\0b\nc\0", 6, 2, 0};
    char buf[32], *data;
    size_t n;
    rn_reader r;
    reader_init_with(&r, read_text, &t, buf, sizeof buf);
    CHECK_EQ(reader_line(&r, &data, &n), 0);
    CHECK_EQ(n, 3);
    CHECK(memcmp(data, "a\0b", 4) == 0);
    CHECK_EQ(reader_until(&r, 0, &data, &n), 0);
    CHECK_EQ(n, 2);
    CHECK(memcmp(data, "c", 2) == 0);
    CHECK_EQ(reader_until(&r, 0, &data, &n), RN_EEOF);
}

/* A length and that many bytes; sizes below and above that of the buffer. */
TEST(parts_of_a_known_length)
{
    char all[100], buf[16], *data, to[100];
    for (int i = 0; i < 100; i++)
        all[i] = (char)i;
    for (size_t piece = 1; piece <= 100; piece++) {
        struct text t = {all, sizeof all, piece, 0};
        rn_reader r;
        reader_init_with(&r, read_text, &t, buf, sizeof buf);
        CHECK_EQ(reader_peek(&r, 4, &data), 0);
        CHECK(memcmp(data, all, 4) == 0);
        CHECK_EQ(reader_drop(&r, 4), 4);
        CHECK_EQ(reader_peek(&r, 16, &data), 0);
        CHECK(memcmp(data, all + 4, 16) == 0);
        CHECK_EQ(reader_read_full(&r, to, 16), 0);
        CHECK(memcmp(to, all + 4, 16) == 0);
        CHECK_EQ(reader_read_full(&r, to, 60), 0);
        CHECK(memcmp(to, all + 20, 60) == 0);
        CHECK_EQ(reader_read_full(&r, to, 0), 0);
        CHECK_EQ(reader_peek(&r, 15, &data), 0);
        CHECK_EQ(reader_read_full(&r, to, 21), -EPIPE);
        CHECK_EQ(reader_read_full(&r, to, 21), RN_EEOF);
        CHECK_EQ(reader_peek(&r, 1, &data), RN_EEOF);
        CHECK_EQ(reader_read(&r, to, 1), 0);
        CHECK_EQ(reader_drop(&r, 1), 0);
    }
}

TEST(what_is_there_is_kept_where_the_stream_ends_before_its_part)
{
    struct text t = {"abc", 3, 1, 0};
    char buf[8], *data;
    rn_reader r;
    reader_init_with(&r, read_text, &t, buf, sizeof buf);
    CHECK_EQ(reader_read_full(&r, buf, 0), 0);
    CHECK_EQ(reader_peek(&r, 4, &data), -EPIPE);
    CHECK_EQ(reader_buffered(&r), 3);
    CHECK(memcmp(data, "abc", 3) == 0);
}

TEST(an_error_of_what_is_read_from_is_the_readers)
{
    struct text t = {"abc", 3, 2, -EIO};
    char buf[8], to[9];
    rn_reader r;
    reader_init_with(&r, read_text, &t, buf, sizeof buf);
    CHECK_EQ(next_line(&r), -EIO);
    CHECK_EQ(reader_buffered(&r), 3);
    CHECK_EQ(reader_read_full(&r, to, 9), -EIO);
    CHECK_EQ(reader_read(&r, to, 1), -EIO);
}

/* ---- connections -------------------------------------------------------------------------------------- */

struct ends {
    rn_conn *a, *b;
    rn_reader r; /* of b */
    char buf[256];
};

static void begin(struct ends *e)
{
    REQUIRE(net_pair(&e->a, &e->b) == 0);
    reader_init(&e->r, e->b, e->buf, sizeof e->buf);
}

static void end(struct ends *e)
{
    net_free(e->a);
    net_free(e->b);
    CHECK_EQ(rn_num_descriptors(), 0);
}

TEST(a_deadline_keeps_half_a_line)
{
    struct ends e;
    char *data;
    begin(&e);
    CHECK_EQ(net_write(e.a, "half", 4), 4);
    net_set_read_deadline(e.b, rn_now() + 3 * RN_MILLISECOND);
    CHECK_EQ(next_line(&e.r), RN_ETIMEOUT);
    CHECK_EQ(reader_peek(&e.r, 5, &data), RN_ETIMEOUT);
    net_set_read_deadline(e.b, 0);
    CHECK_EQ(net_write(e.a, " of it\n", 7), 7);
    expect_line(&e.r, "half of it");
    end(&e);
}

TEST(a_deadline_that_has_passed_lets_buffered_lines_through)
{
    struct ends e;
    begin(&e);
    CHECK_EQ(net_write(e.a, "a\nb\nc", 5), 5);
    expect_line(&e.r, "a");
    net_set_read_deadline(e.b, rn_now() - RN_SECOND);
    expect_line(&e.r, "b");
    CHECK_EQ(next_line(&e.r), RN_ETIMEOUT);
    end(&e);
}

TEST(a_context_ends_the_wait_and_keeps_what_has_come)
{
    struct ends e;
    char *line, to[8];
    size_t n;
    begin(&e);
    CHECK_EQ(net_write(e.a, "half", 4), 4);
    CHECK_EQ(reader_peek(&e.r, 4, &line), 0); /* or the end of the context might come before it */
    rn_context *ctx = ctx_with_timeout(NULL, 3 * RN_MILLISECOND);
    CHECK_EQ(reader_line_ctx(ctx, &e.r, &line, &n), RN_ETIMEOUT);
    CHECK_EQ(reader_until_ctx(ctx, &e.r, '\n', &line, &n), RN_ETIMEOUT);
    CHECK_EQ(reader_peek_ctx(ctx, &e.r, 5, &line), RN_ETIMEOUT);
    CHECK_EQ(reader_read_full_ctx(ctx, &e.r, to, 5), RN_ETIMEOUT);
    CHECK_EQ(reader_read_ctx(ctx, &e.r, to, 4), 4);
    CHECK_EQ(reader_read_ctx(ctx, &e.r, to, 4), RN_ETIMEOUT);
    ctx_cancel(ctx);
    end(&e);
}

static void close_soon(rn_conn *c)
{
    rn_sleep(2 * RN_MILLISECOND);
    net_close(c);
}

TEST(a_close_wakes_who_reads_a_line)
{
    struct ends e;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    begin(&e);
    wg_go(&wg, close_soon, e.b);
    CHECK_EQ(next_line(&e.r), RN_ECLOSED);
    wg_wait(&wg);
    end(&e);
}

static void send_lines(rn_conn *c)
{
    char line[64];
    for (int i = 0; i < 10000; i++)
        CHECK(net_write(c, line, (size_t)snprintf(line, sizeof line, "line %d\n", i)) > 0);
    net_close(c);
}

static void read_lines(rn_reader *r)
{
    char *line, expected[64];
    int n = 0, err;
    for (; (err = reader_line(r, &line, NULL)) == 0; n++) {
        snprintf(expected, sizeof expected, "line %d", n);
        REQUIRE(strcmp(line, expected) == 0);
    }
    CHECK_EQ(err, RN_EEOF);
    CHECK_EQ(n, 10000);
}

TEST(ten_thousand_lines_over_a_connection)
{
    struct ends e;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    begin(&e);
    wg_go(&wg, send_lines, e.a);
    read_lines(&e.r);
    wg_wait(&wg);
    end(&e);
}

static void *read_on_a_thread(void *r)
{
    read_lines(r);
    return NULL;
}

TEST(a_plain_thread_reads_lines)
{
    struct ends e;
    pthread_t t;
    begin(&e);
    REQUIRE(pthread_create(&t, NULL, read_on_a_thread, &e.r) == 0);
    send_lines(e.a);
    pthread_join(t, NULL);
    end(&e);
}

TEST(a_pipe_is_read_by_lines)
{
    rn_conn *in, *out;
    rn_reader r;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    char buf[64];
    REQUIRE(rn_pipe(&in, &out) == 0);
    reader_init(&r, in, buf, sizeof buf);
    wg_go(&wg, send_lines, out);
    read_lines(&r);
    wg_wait(&wg);
    net_free(in);
    net_free(out);
}

TEST(a_file_is_read_by_lines)
{
    char path[] = "/tmp/runnel-reader-XXXXXX", buf[64];
    rn_file *f;
    rn_reader r;
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    CHECK_EQ(write(fd, "one\ntwo\nthree", 13), 13);
    close(fd);
    REQUIRE(file_open(path, O_RDONLY, 0, &f) == 0);
    unlink(path);
    reader_init_file(&r, f, buf, sizeof buf);
    expect_line(&r, "one");
    expect_line(&r, "two");
    CHECK_EQ(next_line(&r), -EPIPE);
    CHECK_EQ(next_line(&r), RN_EEOF);
    file_free(f);
}
