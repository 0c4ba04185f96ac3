/* What must be true at the end of a loop's round: a goroutine that it started has no pointer to what the next one changes. */
#include "flow.h"
#include <string.h>

/* ---- the loop's variable ------------------------------------------------------------------------- */

static bool changes(struct node *n, const struct decl *d, bool by_address)
{
    if (!n)
        return false;
    if ((n->kind == K_STEP || n->kind == K_ASSIGN || (by_address && n->kind == K_ADDR)) && is_ref(n->child[0], d))
        return true;
    for (int i = 0; i < n->n; i++)
        if (changes(n->child[i], d, by_address))
            return true;
    return false;
}

static bool steps(struct node *n, const struct decl *d)
{
    if (!n)
        return false;
    if (n->kind == K_STEP && is_ref(n->child[0], d))
        return true;
    for (int i = 0; i < n->n; i++)
        if (steps(n->child[i], d))
            return true;
    return false;
}

static bool varies(struct node *loop, const struct decl *d)
{
    if (is_record(d->type) || is_array(d->type))
        return false;
    if (loop->kind == K_FOR)
        return changes(loop->child[2], d, false) || changes(loop->child[1], d, true) ||
               (d->scope == loop && steps(loop->child[3], d));
    return changes(loop->child[0], d, true) || steps(loop->child[1], d);
}

/* ---- a struct or buffer that each round fills anew ------------------------------------------------- */

struct refill {
    const struct fact *f;
    struct node *by; /* what fills it */
};

static struct node *call_of(const struct fact *f)
{
    return f->site->kind == K_GO ? f->site->child[1] : f->site;
}

/* Whether the code below n, or what it calls, has to do with that member of a struct. */
static bool looks_at(struct node *n, const struct decl *field, int depth)
{
    if (!n)
        return false;
    if (n->kind == K_MEMBER && n->decl == field)
        return true;
    struct function *g = n->kind == K_CALL && depth < 4 ? callee(n) : NULL;
    if (g && looks_at(g->body, field, depth + 1))
        return true;
    for (int i = 0; i < n->n; i++)
        if (looks_at(n->child[i], field, depth))
            return true;
    return false;
}

static const struct decl *member(struct node *to)
{
    to = strip(to);
    while (to && to->kind == K_INDEX)
        to = strip(to->child[0]);
    return to && to->kind == K_MEMBER ? to->decl : NULL;
}

/* Whether the goroutine of f, which got a pointer to `given`, looks at `to`, which is written. */
static bool meets(const struct fact *f, const struct path *given, struct node *to)
{
    struct path p = path_of(to);
    size_t n = strlen(given->suffix);
    bool element = is_array(f->decl->type) && strchr(p.suffix, '[');
    if (!p.ok || p.root != f->decl || strchr(p.suffix, '*') || element || strchr(given->suffix, '@'))
        return false; /* an element is each round's own, most likely */
    if (strncmp(given->suffix, p.suffix, strlen(p.suffix)) == 0)
        return true; /* all of it is written */
    const struct decl *field = member(to);
    bool inside = strncmp(p.suffix, given->suffix, n) == 0 && field;
    return inside && strncmp(spelling(clang_getTypeSpelling(field->type)), "_Atomic", 7) != 0 &&
           looks_at(call_of(f), field, 0);
}

struct node *target_of(struct node *n)
{
    static const struct {
        const char *name;
        int to;
    } writers[] = {{"fgets", 0},     {"fread", 0},       {"memcpy", 0},      {"memmove", 0}, {"read", 1},
                   {"recv", 1},      {"snprintf", 0},    {"sprintf", 0},     {"strcpy", 0},  {"strncpy", 0},
                   {"vsnprintf", 0}, {"rn_net_read", 1}, {"rn__vet_next", 1}};
    if ((n->kind == K_ASSIGN || n->kind == K_STEP) && n->n)
        return n->child[0];
    for (size_t i = 0; n->kind == K_CALL && i < sizeof writers / sizeof *writers; i++) {
        struct node *to = writers[i].to < n->n ? strip(n->child[writers[i].to]) : NULL;
        if (to && strncmp(n->name, writers[i].name, strlen(writers[i].name)) == 0)
            return to->kind == K_ADDR ? to->child[0] : to;
    }
    return NULL;
}

static void see_refill(struct node *n, void *arg)
{
    struct refill *r = arg;
    struct node *to = target_of(n), *call = call_of(r->f);
    for (int i = 0; to && !r->by && i < call->n; i++) {
        struct path given = path_of(call->child[i]);
        bool pointer = given.addr || (strip(call->child[i]) && is_array(strip(call->child[i])->type));
        if (given.ok && given.root == r->f->decl && pointer && !strchr(given.suffix, '*') && meets(r->f, &given, to))
            r->by = n;
    }
}

/* Something in the loop that may keep its rounds apart: a lock, or a wait for what an earlier round has started. */
static bool is_kept_apart(const struct flow *w, struct node *loop, const struct node *by)
{
    for (int i = 0; i < w->f->events; i++) {
        const struct event *e = &w->f->event[i];
        bool apart = e->op == OP_LOCK || e->op == OP_RLOCK || e->op == OP_JOIN || (e->flags & JOINS);
        if (apart && e->node != by && encloses(loop, e->node))
            return true;
    }
    return false;
}

static bool is_refilled(const struct flow *w, struct node *loop, const struct fact *f)
{
    struct refill r = {.f = f};
    if ((!is_record(f->decl->type) && !is_array(f->decl->type)) || lock_in(f->decl->type))
        return false;
    each_node(loop, see_refill, &r);
    return r.by && !is_kept_apart(w, loop, r.by);
}

/* ---- a pointer to the loop's variable within what is given ------------------------------------------ */

struct kept {
    const struct decl *in;
    struct node *loop;
    struct decl *found;
};

static void see_pointer(struct node *n, void *arg)
{
    struct kept *k = arg;
    struct node *to = n->kind == K_ADDR ? strip(n->child[0]) : NULL;
    if (to && to->kind == K_REF && to->decl && (to->decl->kind == D_LOCAL || to->decl->kind == D_PARAM) &&
        !to->decl->is_static && varies(k->loop, to->decl))
        k->found = to->decl;
}

static void see_kept(struct node *n, void *arg)
{
    struct kept *k = arg;
    struct path to = n->kind == K_ASSIGN && n->n == 2 ? path_of(n->child[0]) : (struct path){0};
    if (to.ok && to.root == k->in && !strchr(to.suffix, '*'))
        each_node(n->child[1], see_pointer, k);
}

static const struct decl *changed(const struct flow *w, struct node *loop, const struct fact *f)
{
    struct kept k = {.in = f->decl, .loop = loop};
    if (varies(loop, f->decl) || is_refilled(w, loop, f))
        return f->decl;
    if (is_record(f->decl->type) || is_array(f->decl->type))
        each_node(loop, see_kept, &k);
    return k.found;
}

void end_of_round(struct flow *w, struct node *loop, struct state *s)
{
    for (int i = s->n; i-- > 0;) {
        struct fact *f = &s->fact[i];
        if (f->kind == F_SENT && encloses(loop, f->site) &&
            (varies(loop, f->decl) || (gift_refilled(w, loop, f) && !is_kept_apart(w, loop, f->site))))
            report(
                &f->site->at, "loopvar",
                "sends a pointer to the same %s each round, which the next round changes while the receiver may look at "
                "it: send it by value, or a pointer to memory of each round's own",
                f->decl->name);
        const struct decl *d = f->kind == F_PENDING && f->decl && encloses(loop, f->site) ? changed(w, loop, f) : NULL;
        if (!d)
            continue;
        report(
            &f->site->at, "loopvar",
            "every goroutine that this loop starts gets a pointer to the same %s, which the loop changes meanwhile: pass "
            "its value, or a pointer to memory of each round's own",
            d->name);
        if (d != f->decl || !(is_record(d->type) || is_array(d->type))) /* that one may be gone too early, too */
            state_remove(s, i);
    }
}
