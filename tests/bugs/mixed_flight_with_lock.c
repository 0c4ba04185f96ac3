/* category: mixed deadlock / condition: who waits for another's call holds the lock that the call needs
 * found-by: deadlock, vet
 *
 * A cache looks up with its lock held; what it calls once for all takes the same lock to store the result. */
#include <runnel.h>

static struct {
    rn_mutex lock;
    rn_flight calls;
    int values;
} cache;

static int load(void *key, void **result)
{
    mutex_lock(&cache.lock);
    cache.values++;
    mutex_unlock(&cache.lock);
    *result = key;
    return 0;
}

static void get(void)
{
    static char name[] = "name";
    void *value;
    mutex_lock(&cache.lock);
    bool known = cache.values > 0;
#ifdef FIXED
    mutex_unlock(&cache.lock);
#endif
    if (!known)
        flight_do(&cache.calls, name, load, name, &value, NULL);
#ifndef FIXED
    mutex_unlock(&cache.lock);
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    wg_go(&wg, get);
    wg_go(&wg, get);
    wg_wait(&wg);
    return 0;
}
