/* A read-mostly table: many readers at once, or one writer alone. */
#include <runnel.h>
#include <stdio.h>

struct table {
    rn_rwmutex mu;
    int entry[16]; /* guarded by mu; all equal whenever nobody writes */
};

static void read_often(struct table *t, rn_atomic_int *torn)
{
    for (int i = 0; i < 1000; i++) {
        rwmutex_rlock(&t->mu);
        if (t->entry[0] != t->entry[15])
            rn_atomic_add(torn, 1);
        rwmutex_runlock(&t->mu);
    }
}

static void update(struct table *t)
{
    for (int i = 0; i < 100; i++) {
        rwmutex_lock(&t->mu);
        for (int e = 0; e < 16; e++)
            t->entry[e]++;
        rwmutex_unlock(&t->mu);
        rn_yield();
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct table t = {0};
    rn_atomic_int torn = {0};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 7; i++)
        wg_go(&wg, read_often, &t, &torn);
    wg_go(&wg, update, &t);
    wg_wait(&wg);
    printf("updates: %d, half-written ones seen: %d\n", t.entry[7], rn_atomic_load(&torn));
    return 0;
}
