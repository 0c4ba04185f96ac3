/* Locks in the ways of larger programs: helpers, macros, structs of locks, callbacks, goto. */
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCK(s) mutex_lock(&(s)->mu)
#define UNLOCK(s) mutex_unlock(&(s)->mu)
#define WITH_LOCK(s) for (int once_ = (mutex_lock(&(s)->mu), 1); once_; once_ = (mutex_unlock(&(s)->mu), 0))

struct entry {
    rn_mutex mu;
    int refs;
    char key[16];
};
struct shard {
    rn_rwmutex mu;
    int n;
};
struct store {
    rn_mutex mu;
    struct shard shards[8];
    struct entry *entries[64];
    int n;
    chan(int) events;
    rn_cond changed;
};
struct ops {
    int (*get)(struct store *s, int key);
};

static int count_locked(struct store *s)
{
    LOCK(s);
    int n = s->n;
    UNLOCK(s);
    return n;
}

static int grow(struct store *s)
{
    LOCK(s);
    int n = count_locked(s) + 1; // want doublelock
    UNLOCK(s);
    return n;
}

/* The error path forgets what the others do. */
static int insert(struct store *s, const char *key)
{
    int err = 0;
    LOCK(s);
    struct entry *e = calloc(1, sizeof *e);
    if (!e)
        return RN_ENOMEM; // want lockreturn
    if (s->n == 64) {
        err = RN_EINVAL;
        goto out;
    }
    snprintf(e->key, sizeof e->key, "%s", key);
    s->entries[s->n++] = e;
    e = NULL;
out:
    UNLOCK(s);
    free(e);
    return err;
}

static int goto_past_the_unlock(struct store *s, int key)
{
    int v = -1;
    mutex_lock(&s->mu);
    if (key < 0)
        goto fail;
    v = s->n + key;
    mutex_unlock(&s->mu);
    return v;
fail:
    fprintf(stderr, "no such key\n");
    return v; // want lockreturn
}

static void publish(struct store *s, int v)
{
    chan_send(s->events, v);
}

static void on_change(struct store *s, int v)
{
    s->n = v;
    publish(s, v);
}

static void set(struct store *s, int v)
{
    LOCK(s);
    on_change(s, v); // want lockheld
    UNLOCK(s);
}

static void in_macro(struct store *s, int v)
{
    WITH_LOCK(s)
    {
        chan_send(s->events, v); // want lockheld
    }
}

static int shard_of(struct store *s, unsigned h, int v)
{
    struct shard *sh = &s->shards[h % 8];
    rwmutex_lock(&sh->mu);
    sh->n += v;
    if (sh->n < 0)
        return -1; // want lockreturn
    rwmutex_unlock(&sh->mu);
    return 0;
}

static int read_then_write(struct shard *sh)
{
    rwmutex_rlock(&sh->mu);
    if (sh->n == 0) {
        rwmutex_lock(&sh->mu); // want doublelock
        sh->n = 1;
        rwmutex_unlock(&sh->mu);
    }
    int n = sh->n;
    rwmutex_runlock(&sh->mu);
    return n;
}

static void wait_for_workers(struct store *s, rn_waitgroup *wg)
{
    defer(mutex_unlock, &s->mu);
    mutex_lock(&s->mu);
    wg_wait(wg); // want lockheld
}

static void sleeps(struct store *s)
{
    for (int i = 0; i < 3; i++) {
        mutex_lock(&s->mu);
        s->n++;
        rn_sleep(RN_SECOND); // want lockheld
        mutex_unlock(&s->mu);
    }
}

static struct entry find(struct store *s, const char *key)
{
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->entries[i]->key, key) == 0)
            return *s->entries[i]; // want copylock
    return (struct entry){0};
}

static void copies(struct store *s)
{
    struct entry mine = *s->entries[0]; // want copylock
    struct shard all[8];
    memcpy(all, s->shards, sizeof all); // want copylock
    s->shards[1] = s->shards[0];        // want copylock
    struct {
        struct shard first;
        int n;
    } pair = {.first = s->shards[2]}; // want copylock
    (void)mine, (void)all, (void)pair;
}

static void by_value(struct entry e) // want copylock
{
    printf("%s\n", e.key);
}

static void call_by_value(struct store *s)
{
    by_value(*s->entries[0]); // want copylock
}

static void each_entry(struct store *s, void (*f)(struct entry *))
{
    for (int i = 0; i < s->n; i++)
        f(s->entries[i]);
}

static void show(struct entry *e)
{
    mutex_lock(&e->mu);
    printf("%s\n", e->key);
    mutex_unlock(&e->mu);
}

static void switch_leaves_it(struct store *s, int kind)
{
    mutex_lock(&s->mu);
    switch (kind) {
    case 0:
        s->n = 0;
        break;
    case 1:
        s->n = 1;
        return; // want lockreturn
    default:
        break;
    }
    mutex_unlock(&s->mu);
}

static int continue_keeps_it(struct store *s)
{
    int sum = 0;
    for (int i = 0; i < s->n; i++) {
        mutex_lock(&s->entries[i]->mu);
        if (s->entries[i]->refs == 0)
            continue; // want lockreturn
        sum += s->entries[i]->refs;
        mutex_unlock(&s->entries[i]->mu);
    }
    return sum;
}

static int receive_under_lock(struct store *s)
{
    mutex_lock(&s->mu);
    int v = chan_recv(s->events); // want lockheld
    s->n = v;
    mutex_unlock(&s->mu);
    return v;
}

static void once_waits(struct store *s)
{
    mutex_lock(&s->mu);
    if (s->n == 0)
        cond_wait(&s->changed, &s->mu); // want condloop
    s->n--;
    mutex_unlock(&s->mu);
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    static struct store s;
    struct ops ops = {0};
    rn_waitgroup wg = {0};
    s.events = chan_make(int, 1);
    (void)ops;
    grow(&s), insert(&s, "a"), goto_past_the_unlock(&s, argc), set(&s, 1), in_macro(&s, 2), shard_of(&s, 3, 4);
    read_then_write(&s.shards[0]), wait_for_workers(&s, &wg), sleeps(&s), find(&s, "a"), copies(&s), call_by_value(&s);
    each_entry(&s, show), switch_leaves_it(&s, 1), continue_keeps_it(&s), receive_under_lock(&s), once_waits(&s);
    return 0;
}
