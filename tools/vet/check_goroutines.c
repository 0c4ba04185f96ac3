/* What shows only when starter and goroutine are looked at together: wg_add in the goroutine
 * (waitgroup), who closes a channel that others send on (receiverclose), and how much stack it all
 * takes (bigframe). */
#include "vet.h"
#include <stdlib.h>
#include <string.h>

static bool is_plain_go(const struct go_site *s)
{
    return strncmp(s->node->name, "go", 2) == 0 || strcmp(s->node->name, "rn_go_with") == 0;
}

/* ---- waitgroup --------------------------------------------------------------------------------- */

static bool starts_with_it(const struct function *f, int from, const struct path *wg)
{
    for (int i = from; i < f->events; i++) {
        const struct event *e = &f->event[i];
        if (e->op != OP_GO || !e->site)
            continue;
        for (int k = 0; k < e->site->call->n; k++) {
            struct path p = path_of(e->site->call->child[k]);
            if (p.ok && p.root == wg->root)
                return true;
        }
        if (e->path.ok && e->path.root == wg->root)
            return true;
        if (wg->root->kind == D_GLOBAL)
            return true;
    }
    return false;
}

static bool calls_done(const struct function *f, const struct path *wg)
{
    for (int i = 0; i < f->events; i++)
        if (f->event[i].op == OP_WG_DONE && path_same(&f->event[i].path, wg))
            return true;
    return false;
}

/* Whether event i of f comes with a lock held: f's, or that of a function that it calls for it. */
static bool under_lock(const struct function *f, int i, int deep)
{
    const struct function *via = f->event[i].via;
    int held = 0;
    for (int k = 0; k < i; k++) {
        enum op op = f->event[k].op;
        held += op == OP_LOCK || op == OP_RLOCK;
        held -= (op == OP_UNLOCK || op == OP_RUNLOCK) && !f->event[k].deferred && held > 0;
    }
    for (int k = 0; via && k < via->events && deep > 0 && held == 0; k++)
        held += via->event[k].op == f->event[i].op && under_lock(via, k, deep - 1);
    return held > 0;
}

/* wg_add in a goroutine, for itself.  Under a lock it is taken for a task that is let in only as long as nobody waits. */
static void check_add(struct function *f)
{
    for (int i = 0; i < f->events; i++) {
        const struct event *e = &f->event[i];
        bool shared = e->path.ok && e->path.root &&
                      (e->path.root->kind == D_PARAM || e->path.root->kind == D_GLOBAL || e->path.root->is_static);
        if (e->op != OP_WG_ADD || !shared || starts_with_it(f, i, &e->path))
            continue;
        if (calls_done(f, &e->path) && !under_lock(f, i, 4))
            report(
                &e->node->at, "waitgroup",
                "wg_add inside the goroutine that it counts (started on line %u): wg_wait may return before it has run; "
                "wg_add before the go, or wg_go",
                f->starts->node->at.line);
    }
}

/* go(f, &wg) without wg_add, wg_wait behind it, and f adds for others: too late as well. */
static void check_uncounted(const struct go_site *s)
{
    struct function *g = s->function, *f = s->in;
    for (int i = 0; i < g->events; i++) {
        const struct event *add = &g->event[i];
        struct path here = path_translate(&add->path, g, s->call);
        bool starts = add->op == OP_GO && strcmp(add->node->name, "wg_go") == 0;
        if ((add->op != OP_WG_ADD && !starts) || !here.ok || !here.root || calls_done(g, &add->path))
            continue;
        bool added = false, after = false, waited = false, joined = false;
        for (int k = 0; k < f->events; k++) {
            const struct event *e = &f->event[k];
            added |= e->op == OP_WG_ADD && path_same(&e->path, &here);
            after |= e->op == OP_GO && e->site == s;
            waited |= after && e->op == OP_WG_WAIT && path_same(&e->path, &here);
            joined |= after && !waited && (e->flags & JOINS);
        }
        if (waited && !added && !joined)
            report(
                &add->node->at, "waitgroup",
                "%s inside a goroutine that nothing counts (started on line %u): wg_wait may return before it has run; "
                "count that goroutine too (wg_go)",
                starts ? "wg_go" : "wg_add", s->node->at.line);
    }
}

static bool adds(const struct function *f, const struct path *wg)
{
    for (int i = 0; i < f->events; i++)
        if (f->event[i].op == OP_WG_ADD && (!wg || path_same(&f->event[i].path, wg)))
            return true;
    return false;
}

/* wg_go(&wg, f, &wg): f counts itself down once more, or waits for its own end. */
static void check_counted(const struct go_site *s)
{
    for (int i = 0; i < s->function->events; i++) {
        const struct event *e = &s->function->event[i];
        struct path here = path_translate(&e->path, s->function, s->call);
        if (!path_same(&here, &s->owner) || adds(s->in, &s->owner) || adds(s->function, NULL))
            continue;
        if (e->op == OP_WG_DONE && !e->maybe)
            report(
                &e->origin->at, "waitgroup",
                "wg_done in a goroutine that wg_go counts (line %u): it is counted down twice, and wg_wait returns too "
                "early, or the count gets negative; leave it out",
                s->node->at.line);
        else if (e->op == OP_WG_WAIT && !e->maybe && !(e->flags & WITH_CTX))
            report(&e->origin->at, "waitgroup",
                   "waits for a waitgroup that counts this goroutine itself (wg_go on line %u): it waits for ever; use "
                   "another waitgroup",
                   s->node->at.line);
    }
}

void check_waitgroups(void)
{
    for (int i = 0; i < program.sites; i++)
        if (program.site[i]->function && strcmp(program.site[i]->node->name, "wg_go") == 0)
            check_counted(program.site[i]);
    for (int i = 0; i < program.functions; i++)
        if (program.function[i]->started && is_plain_go(program.function[i]->starts))
            check_add(program.function[i]);
    for (int i = 0; i < program.sites; i++)
        if (program.site[i]->function && is_plain_go(program.site[i]))
            check_uncounted(program.site[i]);
}

/* ---- receiverclose ----------------------------------------------------------------------------- */

static bool was_recv_only(struct node *n)
{
    while (n && (n->kind == K_CAST || (n->kind == K_OTHER && n->n == 1))) {
        if (is_recv_only(n->type))
            return true;
        n = n->child[0];
    }
    if (n && n->kind == K_REF && n->decl && n->decl->kind == D_LOCAL && !n->decl->reassigned && n->decl->init &&
        !is_recv_only(n->type))
        return was_recv_only(n->decl->init);
    return n && is_recv_only(n->type);
}

static bool was_send_only(struct node *n)
{
    while (n && n->kind == K_CAST)
        n = n->child[0];
    if (n && n->kind == K_REF && n->decl && n->decl->kind == D_LOCAL && !n->decl->reassigned && n->decl->init &&
        !is_send_only(n->type))
        return was_send_only(n->decl->init);
    return n && is_send_only(n->type);
}

/* What the types say. */
static void check_direction(struct node *n, void *arg)
{
    (void)arg;
    const struct known *k = n->kind == K_CALL ? known_call(n) : NULL;
    if (!k || k->object >= n->n)
        return;
    struct node *c = n->child[k->object];
    bool sends = k->op == OP_SEND || k->op == OP_TRY_SEND || k->op == OP_ON_SEND;
    bool receives = k->op == OP_RECV || k->op == OP_NEXT || k->op == OP_TRY_RECV || k->op == OP_ON_RECV;
    if (k->op == OP_CLOSE && was_recv_only(c))
        report(&n->at, "receiverclose",
               "closes a receive-only channel: the receiver can't know that nobody will send any more; "
               "let the sender close it");
    else if (sends && was_recv_only(c))
        report(&n->at, "receiverclose", "sends on a receive-only channel: take it as chan(T) or chan_send_only(T)");
    else if (receives && was_send_only(c))
        report(&n->at, "receiverclose", "receives from a send-only channel: take it as chan(T) or chan_recv_only(T)");
}

static bool is_send(const struct event *e)
{
    return e->op == OP_SEND || e->op == OP_ON_SEND;
}

static bool is_receive(const struct event *e)
{
    return e->op == OP_RECV || e->op == OP_NEXT || e->op == OP_ON_RECV;
}

static bool is_sure_close(const struct event *e)
{
    return e->op == OP_CLOSE && !e->maybe;
}

static bool same_field(const struct path *a, const char *suffix)
{
    size_t n = strlen(a->suffix), m = strlen(suffix);
    return a->ok && n >= m && strcmp(a->suffix + n - m, suffix) == 0;
}

/* Whether anybody sends on a channel that is such a field.  A channel that is only ever closed is a signal, which anybody
 * may give who sees first that it has not been given. */
static bool somebody_sends(const struct path *channel)
{
    size_t n = strlen(channel->suffix);
    while (n > 0 && channel->suffix[n - 1] != '.' && channel->suffix[n - 1] != '>')
        n--;
    const char *field = channel->suffix + n;
    for (int i = 0; i < program.functions; i++)
        for (int k = 0; k < program.function[i]->events; k++) {
            const struct event *e = &program.function[i]->event[k];
            if ((is_send(e) || e->op == OP_TRY_SEND) && same_field(&e->path, field))
                return true;
        }
    for (int i = 0; i < program.sites; i++) {
        const struct go_site *s = program.site[i];
        for (int k = 0; s->function && k < s->function->events; k++) {
            const struct event *e = &s->function->event[k];
            struct path p = path_translate(&e->path, s->function, s->call);
            if ((is_send(e) || e->op == OP_TRY_SEND) && same_field(&p, field))
                return true;
        }
    }
    return *field == 0;
}

/* One case of a select that does not wait, whose value nobody wants: a look whether the channel is closed. */
static bool only_looks(const struct function *f, const struct event *receive)
{
    const struct node *n = receive->node, *to = n->n > 1 ? strip(n->child[1]) : NULL;
    if (receive->op != OP_ON_RECV || receive->via || !to || to->kind != K_LITERAL || to->value != 0)
        return false;
    for (int i = 0; i < f->events; i++) {
        const struct event *e = &f->event[i];
        for (int k = 0; e->op == OP_SELECT && !(e->flags & BLOCKS) && k < e->node->n; k++)
            if (strip(e->node->child[k]) == n)
                return true;
    }
    return false;
}

static const char *field_of(const struct path *p)
{
    const char *dot = p->ok ? strrchr(p->suffix, '.') : NULL;
    return dot ? dot : "";
}

/* Whoever sends on one such field tells on the other that it is done: sends there, or closes it. */
static bool senders_tell(const char *sent, const char *told)
{
    for (int i = 0; i < program.functions; i++) {
        const struct function *g = program.function[i];
        bool sends = false, tells = false;
        for (int k = 0; k < g->events; k++) {
            const struct event *e = &g->event[k];
            sends |= (is_send(e) || e->op == OP_TRY_SEND) && same_field(&e->path, sent);
            tells |= (is_send(e) || is_sure_close(e)) && same_field(&e->path, told);
        }
        if (sends && tells)
            return true;
    }
    return false;
}

/* Before it closes the channel the receiver has had another's word, most likely that of the senders that they are done.
 * Of a select's cases that is known only where the senders are seen to give it. */
static bool is_told_before(const struct function *f, const struct event *close)
{
    for (const struct event *e = f->event; e < close; e++) {
        const char *field = field_of(&e->path);
        bool another = e->path.ok && !path_same(&e->path, &close->path) && !e->deferred;
        if (another && (e->op == OP_RECV || e->op == OP_NEXT) && !(e->flags & WITH_CTX))
            return true;
        if (another && e->op == OP_ON_RECV && *field && senders_tell(field_of(&close->path), field))
            return true;
    }
    return false;
}

/* A function that gets a channel, only receives from it, and closes it. */
static void check_receiver(struct function *f)
{
    for (int i = 0; i < f->events; i++) {
        const struct event *close = &f->event[i];
        bool sends = false, receives = false, waits = false;
        if (close->op != OP_CLOSE || close->via || !close->path.ok || !close->path.root ||
            close->path.root->kind != D_PARAM)
            continue;
        for (int k = 0; k < f->events; k++) {
            const struct event *e = &f->event[k];
            sends |= (is_send(e) || e->op == OP_TRY_SEND) && path_same(&e->path, &close->path);
            receives |=
                (is_receive(e) || e->op == OP_TRY_RECV) && path_same(&e->path, &close->path) && !only_looks(f, e);
            waits |= e->op == OP_WG_WAIT || (e->op == OP_JOIN && (e->flags & BLOCKS));
        }
        if (receives && !sends && !waits && !is_told_before(f, close) && somebody_sends(&close->path))
            report(
                &close->node->at, "receiverclose",
                "%s only receives from %s and closes it: a sender that is still there panics; let the sender close it, "
                "and tell it to stop by another channel or a context",
                f->name, path_show(&close->path));
    }
}

/* Does the goroutine of s send on (or close) `channel` of its starter? */
static const struct event *does(const struct go_site *s, const struct path *channel, bool (*what)(const struct event *))
{
    struct function *g = s->function;
    for (int i = 0; g && i < g->events; i++) {
        struct path p = path_translate(&g->event[i].path, g, s->call);
        if (what(&g->event[i]) && path_same(&p, channel))
            return &g->event[i];
    }
    return NULL;
}

/* Both under a lock, and the send only if something says so: that it has not been closed, most likely. */
static bool take_turns(const struct function *closer, const struct event *close, const struct function *sender,
                       const struct event *send)
{
    return send->maybe && under_lock(closer, (int)(close - closer->event), 4) &&
           under_lock(sender, (int)(send - sender->event), 4);
}

/* The starter closes what its goroutine sends on, without waiting for it. */
static void check_starter(struct function *f, int at)
{
    const struct event *close = &f->event[at];
    const struct go_site *sender = NULL;
    const struct event *send = NULL;
    bool receives = false;
    for (int i = 0; i < at; i++) {
        const struct event *e = &f->event[i];
        if ((is_send(e) || e->op == OP_TRY_SEND) && path_same(&e->path, &close->path))
            return; /* it is a sender itself */
        if (e->op == OP_GO && e->site && !sender && (send = does(e->site, &close->path, is_send)))
            sender = e->site;
        else if (sender && is_receive(e) && path_same(&e->path, &close->path))
            receives = true;
        else if (sender && (e->flags & JOINS))
            return; /* waited for, most likely */
    }
    if (!sender || close->deferred || (receives && !send->in_loop) || take_turns(f, close, sender->function, send))
        return;
    if (strncmp(sender->node->name, "rn_run", 6) == 0)
        return;
    report(
        &close->node->at, "receiverclose",
        "closes %s, on which %s (started on line %u) may still send: it would panic; let it close the channel, or wait "
        "for it before",
        path_show(&close->path), sender->function->name, sender->node->at.line);
}

/* Two who close the same channel: the starter and its goroutine, or every round's goroutine. */
static void check_two_closers(const struct go_site *s)
{
    struct function *f = s->in, *g = s->function;
    for (int i = 0; i < g->events; i++) {
        const struct event *c = &g->event[i];
        struct path p = path_translate(&c->path, g, s->call);
        if (!is_sure_close(c) || !p.ok || !p.root || p.addr)
            continue;
        bool inside = p.root->kind == D_LOCAL && p.root->scope && s->loop && p.root->var &&
                      p.root->var->at.offset >= s->loop->at.offset;
        bool indexed = strchr(p.suffix, '[') != NULL;
        bool again = s->in_loop && s->loop && !inside && !indexed;
        for (int k = 0; again && k < f->events; k++) /* remade each round, or left after the first */
            again = !(f->event[k].op == OP_CHAN_MAKE && f->event[k].loop == s->loop);
        if (again)
            report(
                &c->origin->at, "doubleclose",
                "every goroutine that the loop on line %u starts closes %s: the second close panics; close it once, when "
                "all have ended (wg_wait)",
                s->loop->at.line, path_show(&p));
        for (int k = 0; k < f->events; k++) {
            const struct event *own = &f->event[k];
            if (is_sure_close(own) && path_same(&own->path, &p))
                report(
                    &own->node->at, "doubleclose",
                    "%s is closed here and in %s (started on line %u): the second close panics; close in one place only",
                    path_show(&p), g->name, s->node->at.line);
        }
    }
}

void check_closers(void)
{
    for (int i = 0; i < program.functions; i++) {
        struct function *f = program.function[i];
        each_node(f->body, check_direction, NULL);
        check_receiver(f);
        for (int k = 0; k < f->events; k++)
            if (f->event[k].op == OP_CLOSE && f->event[k].path.ok)
                check_starter(f, k);
    }
    for (int i = 0; i < program.sites; i++)
        if (program.site[i]->function && strcmp(program.site[i]->node->name, "rn_run") != 0)
            check_two_closers(program.site[i]);
}
