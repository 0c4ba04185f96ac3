/* Out of memory at every request while connections are made, used and closed. */
#include "nth.h"
#include <errno.h>
#include <runnel/net.h>
#include <runnel/process.h>

/* Shortage is told by an error; anything else is a bug. */
static bool short_of_memory(ssize_t err)
{
    if (err < 0 && err != RN_ENOMEM && err != -ENOMEM)
        rn_panic("unexpected: %s", rn_strerror((int)err));
    return err < 0;
}

static void echo(rn_conn *c)
{
    char buf[100];
    ssize_t n;
    defer(net_free, c);
    while ((n = net_read(c, buf, sizeof buf)) > 0)
        if (net_write(c, buf, (size_t)n) < 0)
            break;
}

static void talk(rn_listener *l)
{
    rn_addr a;
    char text[RN_ADDR_TEXT], got[5];
    rn_conn *client, *server;
    net_listener_addr(l, &a);
    if (short_of_memory(net_dial("tcp", addr_format(&a, text), &client)))
        return;
    defer(net_free, client);
    if (short_of_memory(net_accept(l, &server)))
        return;
    if (rn_go_try(echo, server)) {
        net_free(server);
        return;
    }
    net_set_deadline(client, rn_now() + RN_HOUR);
    CHECK_EQ(net_write(client, "hello", 5), 5);
    CHECK_EQ(net_read_full(client, got, 5), 0);
    net_close_write(client);
    CHECK_EQ(net_read(client, got, 1), 0);
}

FAULT_TEST(connections)
{
    rn_listener *l;
    if (short_of_memory(net_listen("tcp", "127.0.0.1:0", &l)))
        return;
    defer(net_listener_free, l);
    talk(l);
}

/* All of it comes through, or the shortage is told; then what was read before is counted. */
FAULT_TEST(copy)
{
    rn_conn *from, *in, *to, *out;
    char got[5];
    uint64_t bytes;
    if (short_of_memory(net_pair(&in, &from)))
        return;
    defer(net_free, in);
    defer(net_free, from);
    if (short_of_memory(net_pair(&to, &out)))
        return;
    defer(net_free, to);
    defer(net_free, out);
    CHECK_EQ(net_write(in, "hello", 5), 5);
    net_close(in);
    int err = net_copy(to, from, &bytes);
    CHECK_EQ(bytes, short_of_memory(err) ? 0 : 5);
    if (!err)
        CHECK_EQ(net_read_full(out, got, 5), 0);
}

FAULT_TEST(names)
{
    rn_addr a[4];
    int n = net_lookup("tcp", "localhost", a, 4);
    if (n < 0 && n != RN_ENOMEM)
        rn_panic("unexpected: %s", rn_strerror(n));
}

/* What a process says is whole, or the shortage is told: also when that comes after its output has ended. */
FAULT_TEST(output_of_a_process)
{
    enum { BYTES = 20000 };
    const char *const argv[] = {"sh", "-c", "echo out; exec >&-; head -c 20000 /dev/zero >&2", NULL};
    rn_output o;
    int err = rn_process_output(&(rn_command){.argv = argv, .err = RN_STDIO_PIPE}, &o);
    defer(rn_output_free, &o);
    if (err != -EMFILE && err != -EAGAIN && !short_of_memory(err)) { /* those: pipes, the process itself */
        CHECK_EQ(o.out_size, 4);
        CHECK_EQ(o.err_size, BYTES);
    }
}
