/* An answer that nobody waits for any more: shown in docs/guide/explore.md. */
#include <runnel.h>
#include <runnel/test.h>

static void answer(chan(int) c)
{
    rn_sleep(RN_HOUR);
    chan_send(c, 42);
}

TEST(buggy_question)
{
    chan(int) c = chan_make(int, 0);
    go(answer, c);
    int got;
    chan_select(on_recv(c, &got), on_timeout(RN_SECOND));
}
