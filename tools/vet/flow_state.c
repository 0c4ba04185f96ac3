/* Sets of facts, and how they meet where paths meet. */
#include "flow.h"
#include <stdlib.h>
#include <string.h>

static bool is_must(enum fact_kind k)
{
    return k <= F_JOIN_LATER;
}

struct state state_copy(const struct state *s)
{
    struct state c = *s;
    c.fact = malloc(((size_t)s->n + 8) * sizeof *c.fact);
    if (!c.fact)
        die(STATUS_FAILED, "out of memory");
    if (s->n)
        memcpy(c.fact, s->fact, (size_t)s->n * sizeof *c.fact);
    return c;
}

static bool same(const struct fact *a, const struct fact *b)
{
    if (a->kind != b->kind || a->decl != b->decl)
        return false;
    if (is_must(a->kind))
        return a->kind == F_JOIN_LATER || path_same(&a->path, &b->path);
    return a->site == b->site;
}

static struct fact *find_same(const struct state *s, const struct fact *f)
{
    for (int i = 0; i < s->n; i++)
        if (same(&s->fact[i], f))
            return &s->fact[i];
    return NULL;
}

struct fact *state_add(struct state *s, struct fact f)
{
    struct fact *there = find_same(s, &f);
    if (there) {
        *there = f;
        return there;
    }
    s->fact = realloc(s->fact, ((size_t)s->n + 8) * sizeof *s->fact);
    if (!s->fact)
        die(STATUS_FAILED, "out of memory");
    s->fact[s->n] = f;
    return &s->fact[s->n++];
}

void state_remove(struct state *s, int i)
{
    s->fact[i] = s->fact[--s->n];
}

void state_drop(struct state *s, enum fact_kind kind)
{
    for (int i = s->n; i-- > 0;)
        if (s->fact[i].kind == kind)
            state_remove(s, i);
}

struct fact *state_find(const struct state *s, enum fact_kind kind, const struct path *path)
{
    for (int i = 0; i < s->n; i++)
        if (s->fact[i].kind == kind && path_same(&s->fact[i].path, path))
            return &s->fact[i];
    return NULL;
}

void state_forget(struct state *s, const struct decl *d)
{
    for (int i = s->n; i-- > 0;)
        if (is_must(s->fact[i].kind) && path_mentions(&s->fact[i].path, d))
            state_remove(s, i);
}

void state_drop_context(struct state *s, const struct decl *d)
{
    for (int i = s->n; i-- > 0;)
        if (s->fact[i].kind == F_CONTEXT && s->fact[i].decl == d)
            state_remove(s, i);
}

static void add_missing(struct state *into, const struct state *from)
{
    for (int i = 0; i < from->n; i++) {
        struct fact *f = &from->fact[i], *there = find_same(into, f);
        if (there && (f->kind == F_HELD || f->kind == F_UNLOCKED)) {
            there->deferred &= f->deferred;
            there->conditional |= f->conditional;
        } else if (!there && !is_must(f->kind)) {
            state_add(into, *f);
        }
    }
}

void state_join(struct state *into, const struct state *from)
{
    if (from->dead)
        return;
    if (into->dead) {
        *into = state_copy(from);
        return;
    }
    for (int i = into->n; i-- > 0;)
        if (is_must(into->fact[i].kind) && !find_same(from, &into->fact[i]))
            state_remove(into, i);
    add_missing(into, from);
}
