/* One seed decides a whole run: with the table of choices in place of the clock, chance and the run
 * queue's order (sched/choice.h), the same seed gives the same course, and another seed another. */
#include "sched/choice.h"
#include <runnel.h>
#include <runnel/test.h>
#include <string.h>

enum { WORKERS = 6, STEPS = 40, LOG = 4096 };

static uint64_t state;
static char course[2][LOG];
static size_t used;
static char *log_to;

static uint64_t seeded_random(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static rn_time still(void)
{
    return RN_SECOND;
}

/* Any of the goroutines that p has, by chance: of all in the order of their start, since the order in which p gives
 * them away depends on how long they have waited. */
static struct rn_g *any(struct rn_p *p)
{
    struct rn_g *all[RN_RUNQ_SIZE + 1];
    uint32_t n = 0;
    for (struct rn_g *g; (g = rn__next_local(p)) != NULL; n++) {
        uint32_t at = n;
        for (; at > 0 && all[at - 1]->id > g->id; at--)
            all[at] = all[at - 1];
        all[at] = g;
    }
    if (n == 0)
        return NULL;
    uint32_t chosen = (uint32_t)(seeded_random() % n);
    for (uint32_t i = 0; i < n; i++)
        if (i != chosen)
            rn__push_last(p, all[i]);
    return all[chosen];
}

static void note(char c)
{
    if (used < LOG - 1)
        log_to[used++] = c;
}

static void worker(int id, chan(int) a, chan(int) b, rn_waitgroup *wg)
{
    for (int i = 0; i < STEPS; i++) {
        int v = 0;
        note((char)('a' + id));
        switch (chan_select(on_send(a, id), on_recv(b, &v), on_recv(a, &v), on_send(b, id))) {
        case 0:
            note('0');
            break;
        case 1:
            note('1');
            break;
        case 2:
            note('2');
            break;
        default:
            note('3');
        }
        if (rn__random_below(3) == 0)
            rn_yield();
    }
    wg_done(wg);
}

static void program(void)
{
    chan(int) a = chan_make(int, WORKERS *STEPS), b = chan_make(int, WORKERS *STEPS);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, WORKERS);
    for (int i = 0; i < WORKERS; i++)
        go(worker, i, a, b, &wg);
    wg_wait(&wg);
    chan_free(a);
    chan_free(b);
}

static const char *run(int which, uint64_t seed)
{
    log_to = course[which];
    memset(log_to, 0, LOG);
    used = 0;
    state = seed;
    rn_set_procs(1);
    rn__choice = (struct rn_choice){.now = still, .random = seeded_random, .pick = any};
    rn_run(program);
    return course[which];
}

TEST_PLAIN(the_same_seed_gives_the_same_course)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const char *once = run(0, seed), *again = run(1, seed);
        CHECK_EQ(strlen(once), 2 * WORKERS * STEPS);
        CHECK_STR(once, again);
    }
}

TEST_PLAIN(another_seed_gives_another_course)
{
    const char *one = run(0, 1), *other = run(1, 2);
    CHECK(strcmp(one, other) != 0);
}
