/* Frames over a connection: a length of four bytes, then that many. One read takes as many as have come, and one write
 * answers them all: two system calls for what a client has sent at once, instead of three for each request. */
#include <arpa/inet.h>
#include <runnel.h>
#include <runnel/net.h>
#include <stdio.h>
#include <string.h>

enum { ROOM = 4096 };

struct frames {
    rn_conn *c;
    size_t from, to; /* of buf, what has come and was not handed out */
    char buf[ROOM];
};

/* The length of a whole frame that is there, with its first four bytes; 0 when there is none. */
static size_t whole(const struct frames *f)
{
    uint32_t n;
    if (f->to - f->from < sizeof n)
        return 0;
    memcpy(&n, f->buf + f->from, sizeof n);
    size_t size = sizeof n + ntohl(n);
    return f->to - f->from >= size ? size : 0;
}

/* The next frame and its length, good until the next call: 0; or RN_EEOF, RN_ETOOBIG or the connection's error. */
static int next_frame(struct frames *f, char **data, size_t *n)
{
    size_t size;
    while ((size = whole(f)) == 0) {
        memmove(f->buf, f->buf + f->from, f->to - f->from);
        f->to -= f->from;
        f->from = 0;
        if (f->to == ROOM)
            return RN_ETOOBIG;
        ssize_t got = net_read(f->c, f->buf + f->to, ROOM - f->to);
        if (got <= 0)
            return got < 0 ? (int)got : RN_EEOF;
        f->to += (size_t)got;
    }
    *data = f->buf + f->from + 4;
    *n = size - 4;
    f->from += size;
    return 0;
}

/* Sends each frame back in capitals; writes when the next one is not there yet. */
static void serve(rn_conn *c)
{
    struct frames in = {.c = c};
    char out[ROOM], *data;
    size_t used = 0, n;
    defer(net_free, c);
    while (next_frame(&in, &data, &n) == 0) {
        memcpy(out + used, data - 4, 4);
        for (size_t i = 0; i < n; i++)
            out[used + 4 + i] = (char)(data[i] >= 'a' && data[i] <= 'z' ? data[i] - 32 : data[i]);
        used += 4 + n;
        size_t next = whole(&in);
        if (next && used + next <= ROOM)
            continue;
        if (net_write(c, out, used) < 0)
            return;
        used = 0;
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const char requests[] = "\0\0\0\5hello\0\0\0\3and\0\0\0\7goodbye"; /* all at once */
    rn_conn *here, *there;
    int err = rn_net_pair(&here, &there);
    if (err)
        return fprintf(stderr, "frames: %s\n", rn_strerror(err)), 1;
    go(serve, there);
    defer(net_free, here);
    net_write(here, requests, sizeof requests - 1);
    net_close_write(here);
    struct frames in = {.c = here};
    size_t n;
    for (char *data; (err = next_frame(&in, &data, &n)) == 0;)
        printf("%.*s\n", (int)n, data);
    return err == RN_EEOF ? 0 : 1;
}
