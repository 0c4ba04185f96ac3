/* Frames over a connection: a length of four bytes, then that many. One read takes as many as have come, and one write
 * answers them all: two system calls for what a client has sent at once, instead of three for each request. */
#include <arpa/inet.h>
#include <runnel.h>
#include <runnel/net.h>
#include <runnel/reader.h>
#include <stdio.h>
#include <string.h>

enum { ROOM = 4096, HEAD = 4 };

static size_t size_of(const char *frame)
{
    uint32_t n;
    memcpy(&n, frame, HEAD);
    return HEAD + (size_t)ntohl(n);
}

/* The next frame, its head included: 0; or RN_EEOF, RN_ETOOBIG or another error. */
static int next_frame(rn_reader *in, char **frame, size_t *size)
{
    int err = reader_peek(in, HEAD, frame);
    if (err)
        return err;
    *size = size_of(*frame);
    err = reader_peek(in, *size, frame);
    if (!err)
        reader_drop(in, *size); /* it lies there until more is read */
    return err;
}

/* The size of the next frame if all of it has come, otherwise 0. */
static size_t has_come(rn_reader *in)
{
    char *frame;
    if (reader_buffered(in) < HEAD || reader_peek(in, HEAD, &frame))
        return 0;
    size_t size = size_of(frame);
    return size <= reader_buffered(in) ? size : 0;
}

/* Sends each frame back in capitals; writes when the next one is not there yet. */
static void serve(rn_conn *c)
{
    char buf[ROOM], out[ROOM], *frame;
    rn_reader in;
    size_t used = 0, size;
    defer(net_free, c);
    reader_init(&in, c, buf, sizeof buf);
    while (next_frame(&in, &frame, &size) == 0) {
        memcpy(out + used, frame, HEAD);
        for (size_t i = HEAD; i < size; i++)
            out[used + i] = (char)(frame[i] >= 'a' && frame[i] <= 'z' ? frame[i] - 32 : frame[i]);
        used += size;
        size_t next = has_come(&in);
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
    char buf[ROOM], *frame;
    rn_reader in;
    size_t size;
    reader_init(&in, here, buf, sizeof buf);
    while ((err = next_frame(&in, &frame, &size)) == 0)
        printf("%.*s\n", (int)(size - HEAD), frame + HEAD);
    return err == RN_EEOF ? 0 : 1;
}
