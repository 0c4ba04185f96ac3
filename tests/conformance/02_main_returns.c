/* SEMANTICS 2: when the main function returns the program ends, whatever the others do. */
#include <runnel.h>
#include <runnel/test.h>
#include <stdio.h>
#include <unistd.h>

static void never(void *arg)
{
    (void)arg;
    fputs("a deferred call of another goroutine ran\n", stderr);
    _exit(99);
}

static void blocked_with_defer(chan_recv_only(int) c, chan_send_only(int) up)
{
    defer(never, NULL);
    chan_send(up, 1);
    chan_recv(c);
}

static chan(int) for_ever;

static int main_with_others(void)
{
    chan(int) c = for_ever = chan_make(int, 0), up = chan_make(int, 0);
    for (int i = 0; i < 10; i++) {
        go(blocked_with_defer, c, up);
        chan_recv(up);
    }
    chan_free(up);
    rn_num_goroutines();
    return 7;
}

TEST_PLAIN(value_comes_back_and_others_are_gone)
{
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(rn_run(main_with_others), 7);
        chan_free(for_ever); /* those that waited are gone */
    }
}

static void endless(void)
{
    for (;;)
        rn_yield();
}

static int main_beside_endless(void)
{
    for (int i = 0; i < 4; i++)
        go(endless);
    rn_yield();
    return 3;
}

TEST_PLAIN(others_need_not_end)
{
    CHECK_EQ(rn_run(main_beside_endless), 3);
}

static void nothing(void)
{
}

TEST_PLAIN(void_is_0)
{
    CHECK_EQ(rn_run(nothing), 0);
}
