/* An answer for which somebody has waited long enough: shown in docs/guide/explore.md. */
#include <runnel.h>
#include <runnel/test.h>

static void answer(chan(int) c)
{
    chan_send(c, 42);
}

TEST(buggy_patience)
{
    chan(int) c = chan_make(int, 0);
    go(answer, c);
    int got;
    chan_select(on_recv(c, &got), on_timeout(RN_SECOND));
}
