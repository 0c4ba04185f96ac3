/* Plain threads that wake a goroutine with their last act: the runtime, which asks whether anybody is
 * left to wake it, may find neither the thread nor a goroutine that runs, and it is no deadlock. */
#include <pthread.h>
#include <runnel.h>
#include <runnel/test.h>

static void *send_and_end(void *c)
{
    chan_send((chan(int))c, 1);
    return NULL;
}

/* The thread is detached: nothing of it is left once it has ended. */
static void receive_from_a_thread(chan(int) c)
{
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, send_and_end, c) == 0);
    pthread_detach(t);
    CHECK_EQ(chan_recv(c), 1);
}

TEST(a_thread_that_sends_and_ends_is_no_deadlock)
{
    enum { ROUNDS = 3000 };
    chan(int) waited = chan_make(int, 0), buffered = chan_make(int, 1);
    for (int i = 0; i < ROUNDS; i++)
        receive_from_a_thread(i % 2 ? waited : buffered);
    rn_chan_free(waited);
    rn_chan_free(buffered);
}

static void *unlock_and_end(void *m)
{
    rn_mutex_unlock(m);
    return NULL;
}

TEST(a_thread_that_unlocks_and_ends_is_no_deadlock)
{
    enum { ROUNDS = 3000 };
    static rn_mutex m = RN_MUTEX_INIT;
    rn_mutex_lock(&m);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t t;
        REQUIRE(pthread_create(&t, NULL, unlock_and_end, &m) == 0);
        pthread_detach(t);
        rn_mutex_lock(&m);
    }
    rn_mutex_unlock(&m);
}
