/* Timers in local variables: whoever leaves with one that is pending leaves the runtime a pointer to memory that is something
 * else by then (losttimer).  And timers that have no variable: what rn_after and rn_tick make is the caller's to free.
 *
 * A variable whose address goes anywhere but to the timer's own functions is left alone: somebody else may stop it. */
#include "flow.h"
#include <string.h>

enum use { NO_TIMER, SETS, ENDS, LOOKS };

/* What a call does to the timer that is its first argument. */
static enum use use_of(const char *name)
{
    static const struct {
        const char *name;
        enum use use;
    } uses[] = {
        {"rn_timer_init", SETS},  {"rn_timer_reset", SETS},  {"rn_timer_stop", ENDS},  {"rn_timer_destroy", ENDS},
        {"rn_ticker_init", SETS}, {"rn_ticker_reset", SETS}, {"rn_ticker_stop", ENDS}, {"rn_ticker_destroy", ENDS},
        {"rn_after_func", SETS},  {"rn__timer_chan", LOOKS},
    };
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
        if (strcmp(uses[i].name, name) == 0)
            return uses[i].use;
    return NO_TIMER;
}

/* The local variable that the pointer points into, or NULL. */
static struct decl *local_at(struct node *pointer)
{
    struct path p = path_of(pointer);
    bool local = p.ok && p.addr && p.root && !p.root->is_static && (p.root->kind == D_LOCAL || p.root->kind == D_PARAM);
    return local && !strchr(p.suffix, '*') ? p.root : NULL;
}

static bool goes_elsewhere(struct node *n, const struct decl *d)
{
    if (!n)
        return false;
    bool known = (n->kind == K_CALL || n->kind == K_GO) && use_of(n->name) != NO_TIMER;
    if (n->kind == K_ADDR && local_at(n) == d)
        return true;
    for (int i = 0; i < n->n; i++)
        if (!(known && i == 0 && n->child[0] && local_at(n->child[0]) == d) && goes_elsewhere(n->child[i], d))
            return true;
    return false;
}

static struct fact *find(struct state *s, enum fact_kind kind, const struct decl *d)
{
    for (int i = 0; i < s->n; i++)
        if (s->fact[i].kind == kind && s->fact[i].decl == d)
            return &s->fact[i];
    return NULL;
}

static void forget(struct state *s, const struct decl *d)
{
    for (struct fact *f; (f = find(s, F_TIMER, d)) != NULL;)
        state_remove(s, (int)(f - s->fact));
}

/* A receive from what rn_after makes there and then. */
static void check_kept(const struct node *call)
{
    const struct known *k = known_call(call);
    bool receives = k && (k->op == OP_RECV || k->op == OP_NEXT || k->op == OP_ON_RECV || k->op == OP_TRY_RECV);
    struct node *c = receives && k->object < call->n ? strip(call->child[k->object]) : NULL;
    if (c && c->kind == K_CALL && strcmp(c->name, "rn__after") == 0)
        report(
            &c->at, "losttimer",
            "nobody can free the channel that this makes: in a select on_timeout(d) does without, elsewhere rn_sleep(d); "
            "or keep it in a variable, and chan_free it");
}

/* Behind `defer(rn_timer_destroy, &t);` it may be set as often as is liked. */
void effect_timer(struct flow *w, struct node *call, struct state *s, bool deferred)
{
    check_kept(call);
    enum use use = call->n && call->child[0] ? use_of(call->name) : NO_TIMER;
    struct decl *d = use == SETS || use == ENDS ? local_at(call->child[0]) : NULL;
    if (!d)
        return;
    if (use == ENDS) {
        forget(s, d);
        if (deferred)
            state_add(s, (struct fact){.kind = F_TIMER_LATER,
                                       .decl = d,
                                       .path = path_of(call->child[0]),
                                       .site = call,
                                       .scope = w->scope[w->depth - 1]});
    } else if (!find(s, F_TIMER, d) && !find(s, F_TIMER_LATER, d) && !goes_elsewhere(w->f->body, d))
        state_add(s, (struct fact){.kind = F_TIMER, .decl = d, .site = call});
}

void timer_fired(struct node *channel, struct state *s)
{
    struct node *c = strip(channel);
    struct decl *d = c && c->kind == K_CALL && c->n && use_of(c->name) == LOOKS ? local_at(c->child[0]) : NULL;
    struct fact *f = d ? find(s, F_TIMER, d) : NULL;
    if (f && strncmp(f->site->name, "rn_timer", 8) == 0)
        forget(s, d);
}

void timers_may_have_fired(struct node *select, struct state *s)
{
    for (int i = 0; i < select->n; i++) {
        struct node *c = strip(select->child[i]);
        if (c && c->kind == K_CALL && strcmp(c->name, "rn__vet_on_recv") == 0)
            timer_fired(c->child[0], s);
    }
}

/* When main returns the program ends, and its timers with it. */
void timer_lost(struct flow *w, const struct fact *f, const struct place *at, bool whole)
{
    bool ticker = strncmp(f->site->name, "rn_ticker", 9) == 0;
    if (whole && is_main(w->f))
        return;
    report(&f->site->at, "losttimer",
           "the timer in %s may be pending when %s is gone, after line %u: the runtime would use what lies there then; "
           "put defer(%s, …) behind this line",
           f->decl->name, f->decl->name, at->line, ticker ? "rn_ticker_destroy" : "rn_timer_destroy");
}
