/* category: special libraries / a pipe whose writing end stays open
 * found-by: explore
 *
 * The log is copied until its end, and whoever writes it does not close. */
#include <runnel.h>
#include <runnel/fd.h>
#include <runnel/net.h>

static void log_to(rn_conn *w)
{
    net_write(w, "started\n", 8);
#ifdef FIXED
    net_free(w);
#endif
}

static void copy(rn_conn *r)
{
    char buf[64];
    while (net_read(r, buf, sizeof buf) > 0)
        ;
    net_free(r);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_conn *r, *w;
    rn_waitgroup wg = {0};
    if (rn_pipe(&r, &w) != 0)
        return 1;
    wg_go(&wg, copy, r);
    wg_go(&wg, log_to, w);
    wg_wait(&wg);
    return 0;
}
