/* line_count FILE...: a pipeline over files.  One goroutine names them, four read and count, the sum is taken here.
 *
 * The lesson: reads that must wait for the disk stall nobody, and what failed travels with its file. */
#include <runnel.h>
#include <runnel/file.h>
#include <stdio.h>

struct counted {
    const char *path;
    long lines;
    int err;
};

static int count_lines(const char *path, long *lines)
{
    char buf[16 << 10];
    rn_file *f;
    ssize_t n;
    int err = file_open(path, O_RDONLY, 0, &f);
    if (err)
        return err;
    defer(file_free, f);
    while ((n = file_read(f, buf, sizeof buf)) > 0)
        for (ssize_t i = 0; i < n; i++)
            *lines += buf[i] == '\n';
    return (int)n; /* 0 at the end */
}

static void name_files(char **paths, chan_send_only(const char *) out)
{
    for (; *paths; paths++)
        chan_send(out, *paths);
    chan_close(out);
}

static void count(chan_recv_only(const char *) paths, chan_send_only(struct counted) out)
{
    for (const char *path; chan_next(paths, &path);) {
        struct counted c = {.path = path};
        c.err = count_lines(path, &c.lines);
        chan_send(out, c);
    }
}

static void close_behind(rn_waitgroup *wg, chan_send_only(struct counted) out)
{
    wg_wait(wg);
    chan_close(out);
}

int rn_main(int argc, char **argv)
{
    (void)argc;
    chan(const char *) paths = chan_make(const char *, 0);
    chan(struct counted) done = chan_make(struct counted, 4);
    rn_waitgroup readers = RN_WAITGROUP_INIT;
    go(name_files, argv + 1, paths);
    for (int i = 0; i < 4; i++)
        wg_go(&readers, count, paths, done);
    go(close_behind, &readers, done);

    long sum = 0;
    for (struct counted c; chan_next(done, &c);)
        if (c.err)
            printf("%s: %s\n", c.path, rn_strerror(c.err));
        else
            sum += c.lines;
    printf("%ld lines\n", sum);
    chan_free(paths);
    chan_free(done);
    return 0;
}
