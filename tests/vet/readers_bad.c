/* Lines that others get while they still lie in the reader's buffer. */
#include <runnel.h>
#include <runnel/net.h>
#include <runnel/reader.h>
#include <stdio.h>
#include <string.h>

static void show(const char *line)
{
    puts(line);
}

static void to_goroutines(rn_conn *c, rn_waitgroup *wg)
{
    char buf[4096], *line;
    rn_reader in;
    reader_init(&in, c, buf, sizeof buf);
    while (reader_line(&in, &line, NULL) == 0)
        wg_go(wg, show, line); // want loopvar
}

static void to_a_channel(rn_context *ctx, rn_reader *in, chan_send_only(const char *) lines)
{
    for (char *line; reader_line_ctx(ctx, in, &line, NULL) == 0;)
        if (*line && chan_send_ctx(ctx, lines, line) != 0) // want loopvar
            return;
}

static void frames(rn_reader *in, chan_send_only(char *) out)
{
    for (;;) {
        char *frame;
        if (reader_peek(in, 16, &frame) != 0)
            return;
        chan_send(out, frame); // want loopvar
        reader_drop(in, 16);
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    rn_conn *a, *b;
    rn_reader in;
    char buf[64];
    chan(const char *) lines = chan_make(const char *, 100);
    chan(char *) out = chan_make(char *, 100);
    if (net_pair(&a, &b) != 0)
        return 1;
    net_free(a);
    to_goroutines(b, &wg);
    reader_init(&in, b, buf, sizeof buf);
    to_a_channel(NULL, &in, lines);
    frames(&in, out);
    wg_wait(&wg);
    net_free(b);
    chan_free(lines);
    chan_free(out);
    return 0;
}
