/* Copies of lines; lines that are used before the next one is read. */
#include <runnel.h>
#include <runnel/net.h>
#include <runnel/reader.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
    char text[64];
};

static void show(char *line)
{
    puts(line);
    free(line);
}

static void print(const char *line)
{
    puts(line);
}

static void copies(rn_reader *in, rn_waitgroup *wg, chan_send_only(struct line) out)
{
    for (char *line; reader_line(in, &line, NULL) == 0;) {
        struct line l;
        snprintf(l.text, sizeof l.text, "%s", line);
        chan_send(out, l);
        chan_send(out, *(struct line *)&l);
        wg_go(wg, show, strdup(line));
    }
    for (char *line; reader_line(in, &line, NULL) == 0;) {
        line = strdup(line);
        wg_go(wg, show, line);
    }
}

static void numbers(rn_reader *in, chan_send_only(int) out)
{
    for (char *line; reader_line(in, &line, NULL) == 0;) {
        print(line);
        chan_send(out, atoi(line));
    }
}

static void one_at_a_time(rn_reader *in, rn_waitgroup *wg)
{
    for (char *line; reader_line(in, &line, NULL) == 0;) {
        wg_go(wg, print, line);
        wg_wait(wg);
    }
}

static void the_first(rn_reader *in, chan_send_only(const char *) out)
{
    char *line;
    if (reader_line(in, &line, NULL) == 0)
        chan_send(out, line);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    rn_conn *a, *b;
    rn_reader in;
    char buf[64];
    chan(struct line) lines = chan_make(struct line, 100);
    chan(int) out = chan_make(int, 100);
    chan(const char *) text = chan_make(const char *, 1);
    if (net_pair(&a, &b) != 0)
        return 1;
    net_free(a);
    reader_init(&in, b, buf, sizeof buf);
    copies(&in, &wg, lines);
    numbers(&in, out);
    one_at_a_time(&in, &wg);
    the_first(&in, text);
    wg_wait(&wg);
    net_free(b);
    chan_free(lines);
    chan_free(out);
    chan_free(text);
    return 0;
}
