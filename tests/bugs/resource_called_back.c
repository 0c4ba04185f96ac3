/* category: resource deadlock / double lock: the call back comes with the lock held
 * found-by: leaks
 *
 * A bus calls its subscribers with its lock held; one of them leaves the bus at the first event.  The program goes on
 * with other things, and the lock is known to all. */
#include <runnel.h>

static struct {
    rn_mutex lock;
    void (*subscriber)(void);
} bus;

static void leave(void)
{
    mutex_lock(&bus.lock);
    bus.subscriber = NULL;
    mutex_unlock(&bus.lock);
}

static void publish(void)
{
    mutex_lock(&bus.lock);
    void (*f)(void) = bus.subscriber;
#ifdef FIXED
    mutex_unlock(&bus.lock);
    f();
#else
    f();
    mutex_unlock(&bus.lock);
#endif
}

static void join(void (*f)(void))
{
    mutex_lock(&bus.lock);
    bus.subscriber = f;
    mutex_unlock(&bus.lock);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    join(leave);
    go(publish);
    return 0;
}
