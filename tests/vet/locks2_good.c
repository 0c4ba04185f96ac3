/* The same shapes, right. */
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCK(s) mutex_lock(&(s)->mu)
#define UNLOCK(s) mutex_unlock(&(s)->mu)
#define WITH_LOCK(s) for (int once_ = (mutex_lock(&(s)->mu), 1); once_; once_ = (mutex_unlock(&(s)->mu), 0))
enum { STRIPES = 16 };

struct entry {
    rn_mutex mu;
    int refs;
    char key[16];
};
struct store {
    rn_mutex mu;
    rn_cond changed;
    rn_rwmutex table;
    rn_mutex stripes[STRIPES];
    struct entry *entries[64];
    int n;
    bool dirty, stopped;
    chan(int) events;
};
struct account {
    rn_mutex mu;
    long balance;
};

static rn_mutex stripes[STRIPES];

static void stripe_lock(unsigned h)
{
    mutex_lock(&stripes[h % STRIPES]);
}
static void stripe_unlock(unsigned h)
{
    mutex_unlock(&stripes[h % STRIPES]);
}
static void two_stripes(unsigned a, unsigned b)
{
    stripe_lock(a);
    stripe_lock(b);
    stripe_unlock(b);
    stripe_unlock(a);
}
static void all_stripes(struct store *s)
{
    for (int i = 0; i < STRIPES; i++)
        mutex_lock(&s->stripes[i]);
    s->n = 0;
    for (int i = STRIPES; i-- > 0;)
        mutex_unlock(&s->stripes[i]);
}

static int count(const struct store *s) /* the caller holds the lock */
{
    return s->n;
}
static int grow(struct store *s)
{
    LOCK(s);
    int n = count(s) + 1;
    UNLOCK(s);
    return n;
}

static int insert(struct store *s, const char *key)
{
    int err = 0;
    struct entry *e = calloc(1, sizeof *e);
    LOCK(s);
    if (!e) {
        err = RN_ENOMEM;
        goto out;
    }
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

/* Returns the entry locked. */
static struct entry *entry_get(struct store *s, int i)
{
    LOCK(s);
    struct entry *e = i < s->n ? s->entries[i] : NULL;
    UNLOCK(s);
    if (!e)
        return NULL;
    mutex_lock(&e->mu);
    if (e->refs < 0) {
        mutex_unlock(&e->mu);
        return NULL;
    }
    return e;
}
static void entry_put(struct entry *e)
{
    mutex_unlock(&e->mu);
}
static int refs(struct store *s, int i)
{
    struct entry *e = entry_get(s, i);
    if (!e)
        return 0;
    int n = e->refs;
    entry_put(e);
    return n;
}

/* Lets the caller's lock go for the length of the send. */
static void publish(struct store *s, int v)
{
    UNLOCK(s);
    chan_send(s->events, v);
    LOCK(s);
}
static void set(struct store *s, int v)
{
    LOCK(s);
    s->n = v;
    publish(s, v);
    s->dirty = false;
    UNLOCK(s);
}

static int flush(struct store *s)
{
    WITH_LOCK(s)
    {
        s->dirty = false;
    }
    return chan_try_send(s->events, 1);
}

static void try_send_under_lock(struct store *s, int v)
{
    LOCK(s);
    if (chan_try_send(s->events, v) != 0)
        s->dirty = true;
    UNLOCK(s);
}

static void select_default_under_lock(struct store *s, int v)
{
    LOCK(s);
    switch (chan_select(on_send(s->events, v), on_default())) {
    case 0:
        s->n++;
    }
    UNLOCK(s);
}

static void waits(struct store *s)
{
    LOCK(s);
    while (s->n == 0 && !s->stopped)
        cond_wait(&s->changed, &s->mu);
    if (s->stopped) {
        UNLOCK(s);
        return;
    }
    s->n--;
    UNLOCK(s);
}

static int double_checked(struct store *s, int key)
{
    rwmutex_rlock(&s->table);
    int n = s->n;
    rwmutex_runlock(&s->table);
    if (n)
        return n;
    rwmutex_lock(&s->table);
    defer(rwmutex_unlock, &s->table);
    if (s->n == 0)
        s->n = key;
    return s->n;
}

static bool maybe(struct store *s, bool locked)
{
    if (!locked)
        LOCK(s);
    s->dirty = true;
    if (!locked)
        UNLOCK(s);
    return locked;
}

static int attempt(struct store *s)
{
    if (!mutex_try_lock(&s->mu))
        return RN_EAGAIN;
    s->n++;
    UNLOCK(s);
    return 0;
}

static int attempt_as_status(struct store *s)
{
    int status = mutex_try_lock(&s->mu) ? 0 : RN_EAGAIN;
    if (status != 0)
        return status;
    s->n++;
    UNLOCK(s);
    return 0;
}

static void transfer(struct account *a, struct account *b, long sum)
{
    struct account *first = a < b ? a : b, *second = a < b ? b : a;
    mutex_lock(&first->mu);
    mutex_lock(&second->mu);
    a->balance -= sum;
    b->balance += sum;
    mutex_unlock(&second->mu);
    mutex_unlock(&first->mu);
}

static int list_hand_over_hand(struct entry **list, int n)
{
    int sum = 0;
    mutex_lock(&list[0]->mu);
    for (int i = 0; i + 1 < n; i++) {
        sum += list[i]->refs;
        mutex_lock(&list[i + 1]->mu);
        mutex_unlock(&list[i]->mu);
    }
    mutex_unlock(&list[n - 1]->mu);
    return sum;
}

static void each(struct store *s, void (*f)(struct entry *, void *), void *arg)
{
    LOCK(s);
    for (int i = 0; i < s->n; i++)
        f(s->entries[i], arg);
    UNLOCK(s);
}
static void sum_refs(struct entry *e, void *arg)
{
    *(int *)arg += e->refs;
}

static void signals(rn_mutex *done)
{
    mutex_unlock(done);
}
static void waits_by_a_lock(void)
{
    static rn_mutex done;
    mutex_lock(&done);
    go(signals, &done);
    mutex_lock(&done);
    mutex_unlock(&done);
}

static struct entry fresh(const char *key)
{
    struct entry e = {.refs = 1};
    strncpy(e.key, key, sizeof e.key - 1);
    return (struct entry){.refs = e.refs};
}

static void reset(struct entry *e)
{
    *e = (struct entry){0};
    memset(e, 0, sizeof *e);
    memcpy(e->key, "none", 5);
}

static int in_loop(struct store *s)
{
    int n = 0;
    for (;;) {
        LOCK(s);
        if (s->stopped)
            break;
        n += s->n;
        UNLOCK(s);
        rn_yield();
    }
    UNLOCK(s);
    return n;
}

static int unlock_in_every_case(struct store *s, int kind)
{
    LOCK(s);
    switch (kind) {
    case 0:
        UNLOCK(s);
        return 0;
    case 1:
        s->n++;
        /* fall through */
    default:
        UNLOCK(s);
        break;
    }
    return 1;
}

/* A guard, as those who come from C++ write it. */
struct guard {
    rn_mutex *mu;
};

static struct guard take(rn_mutex *mu)
{
    mutex_lock(mu);
    return (struct guard){mu};
}

static void drop(struct guard *g)
{
    mutex_unlock(g->mu);
}
#define GUARD(m) __attribute__((cleanup(drop))) struct guard guard_ = take(m)

static int guarded(struct account *a)
{
    GUARD(&a->mu);
    return a->balance ? 1 : 0;
}

static int guarded_twice(struct account *a)
{
    int sum = guarded(a);
    {
        GUARD(&a->mu);
        sum++;
    }
    return sum + guarded(a);
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    static struct store s;
    static struct account a, b;
    s.events = chan_make(int, 1);
    int sum = 0;
    two_stripes(1, 2), all_stripes(&s), grow(&s), insert(&s, "a"), refs(&s, 0), set(&s, 1), (void)flush(&s);
    try_send_under_lock(&s, 1), select_default_under_lock(&s, 1), waits(&s), double_checked(&s, 1), maybe(&s, false);
    (void)attempt(&s), (void)attempt_as_status(&s), transfer(&a, &b, 1), list_hand_over_hand(s.entries, argc);
    each(&s, sum_refs, &sum), waits_by_a_lock(), reset(s.entries[0]), in_loop(&s), unlock_in_every_case(&s, argc),
        (void)guarded_twice(&a);
    struct entry e = fresh("x");
    printf("%s\n", e.key);
    chan_free(s.events);
    return 0;
}
