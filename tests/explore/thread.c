/* A thread of the program's own, which the seed does not decide. */
#include <pthread.h>
#include <runnel.h>
#include <runnel/test.h>

static void *send_one(void *to)
{
    chan(int) c = to;
    chan_send(c, 1);
    return NULL;
}

/* Of the program's own: while it is there, or has just been, nobody is asleep for ever. */
TEST(a_thread_sends)
{
    chan(int) c = chan_make(int, 0);
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, send_one, c) == 0);
    CHECK_EQ(chan_recv(c), 1);
    pthread_join(t, NULL);
    chan_free(c);
}
