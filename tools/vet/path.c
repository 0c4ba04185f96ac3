/* Names of objects. */
#define _GNU_SOURCE 1
#include "vet.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct path none(void)
{
    return (struct path){.ok = false, .suffix = ""};
}

static struct path longer(struct path p, const char *more)
{
    p.suffix = intern(text("%s%s", p.suffix, more));
    return p;
}

struct path path_deref(struct path p, bool array)
{
    if (!p.ok)
        return p;
    if (p.addr) {
        p.addr = false;
        return p;
    }
    return longer(p, array ? "[0]" : "*");
}

/* A variable in an index: "@7," or, where it names the same in every function, "@7g,". */
static const char *named(const struct decl *d)
{
    return text("@%d%s,", d->number, d->kind == D_GLOBAL || d->is_static ? "g" : "");
}

/* "h@7,&255": what the index is computed from; NULL when that is not known to stay the same. */
static const char *computed(struct node *n, int depth)
{
    n = strip(n);
    if (!n || depth > 4)
        return NULL;
    if (n->kind == K_LITERAL)
        return text("%lld", n->value);
    if (n->kind == K_REF && n->decl && !is_pointer(n->type))
        return n->decl->kind == D_FUNCTION ? NULL : named(n->decl);
    if (n->kind == K_MEMBER) {
        struct path p = path_of(n);
        return p.ok && p.root && !p.addr && !strchr(p.suffix, '[') ? text("%s%s", named(p.root), p.suffix) : NULL;
    }
    if (n->kind == K_BINARY && n->n == 2 && n->op) {
        const char *a = computed(n->child[0], depth + 1), *b = a ? computed(n->child[1], depth + 1) : NULL;
        return b ? text("(%s%s%s)", a, n->op, b) : NULL;
    }
    return NULL;
}

static struct path index_path(struct node *n)
{
    struct path base = path_of(n->child[0]);
    struct node *index = strip(n->child[1]);
    if (!base.ok || !index)
        return none();
    if (base.addr) /* (&a[0])[i] */
        return none();
    if (is_pointer(strip(n->child[0])->type))
        base = longer(base, "*");
    if (index->kind == K_LITERAL) {
        if (index->value == 0 && is_pointer(strip(n->child[0])->type))
            return base;
        return longer(base, text("[%lld]", index->value));
    }
    if (index->kind == K_REF && index->decl && index->decl->kind != D_FUNCTION)
        return longer(base, text("[%s%s]", index->decl->name, named(index->decl)));
    const char *from = computed(index, 0);
    return from ? longer(base, text("[?%s]", from)) : none();
}

static struct path member_path(struct node *n)
{
    struct node *base = n->n ? n->child[0] : NULL;
    struct path p = base ? path_of(base) : none();
    if (!p.ok)
        return p;
    if (is_pointer(base->type))
        p = path_deref(p, false);
    else if (p.addr)
        return none();
    return longer(p, text(".%s", n->name));
}

static struct path variable_path(struct decl *d)
{
    struct node *init = d->kind == D_LOCAL && !d->reassigned && !d->is_static ? strip(d->init) : NULL;
    static int depth;
    if (init && is_pointer(d->type) && depth < 8 &&
        (init->kind == K_ADDR || init->kind == K_REF || init->kind == K_MEMBER || init->kind == K_INDEX)) {
        depth++;
        struct path p = path_of(init);
        depth--;
        if (p.ok && p.root && p.root != d)
            return p;
    }
    return (struct path){.ok = true, .root = d, .suffix = intern("")};
}

struct path path_of(struct node *n)
{
    n = strip(n);
    if (!n)
        return none();
    switch (n->kind) {
    case K_REF:
        return n->decl && n->decl->kind != D_FUNCTION ? variable_path(n->decl) : none();
    case K_MEMBER:
        return member_path(n);
    case K_INDEX:
        return index_path(n);
    case K_DEREF:
        return path_deref(path_of(n->child[0]), is_array(strip(n->child[0])->type));
    case K_ADDR: {
        struct node *of = strip(n->child[0]);
        if (of && of->kind == K_COMPOUND)
            return (struct path){.ok = true, .addr = true, .suffix = intern("")};
        struct path p = path_of(n->child[0]);
        if (!p.ok || p.addr)
            return none();
        size_t len = strlen(p.suffix);
        if (len && p.suffix[len - 1] == '*') /* &*p */
            p.suffix = intern(text("%.*s", (int)len - 1, p.suffix));
        else
            p.addr = true;
        return p;
    }
    default:
        return none();
    }
}

struct path object_of(struct node *pointer)
{
    struct node *n = strip(pointer);
    return n ? path_deref(path_of(n), is_array(n->type)) : none();
}

bool path_same(const struct path *a, const struct path *b)
{
    return a->ok && b->ok && a->root && a->root == b->root && a->addr == b->addr && a->suffix == b->suffix;
}

bool path_mentions(const struct path *p, const struct decl *d)
{
    return p->ok && (p->root == d || strstr(p->suffix, named(d)));
}

/* "s*.mu" is written s->mu, "a[i@7]" a[i], "p*" *p. */
const char *path_show(const struct path *p)
{
    char *to, *s;
    size_t size;
    if (!p->ok || !p->root)
        return "it";
    size_t len = strlen(p->suffix);
    bool star = len && p->suffix[len - 1] == '*' && !p->addr;
    FILE *f = open_memstream(&to, &size);
    if (!f)
        die(STATUS_FAILED, "out of memory");
    fprintf(f, "%s%s%s", star ? "*" : "", p->addr ? "&" : "", p->root->name);
    for (s = (char *)p->suffix; *s; s++) {
        if (*s == '*') {
            if (s[1] == '.') {
                fputs("->", f);
                s++;
            } else if (s[1] && s[1] != '[') {
                fputs("[0]", f);
            }
        } else if (*s == '@' || *s == '?') {
            fputs(*s == '?' ? "…]" : "]", f);
            s = strchr(s, ']');
        } else {
            putc(*s, f);
        }
    }
    fclose(f);
    return to;
}

/* The suffix in terms of the caller: an index that is a parameter becomes the argument.  NULL when it has another
 * variable of the function in it. */
static const char *translate_indices(const char *suffix, const struct function *f, const struct node *call)
{
    const char *at = strchr(suffix, '@');
    if (!at)
        return suffix;
    const char *end = strchr(at, ','), *open = memrchr(suffix, '[', (size_t)(at - suffix));
    bool alone = open && end && open[1] != '?' && end[1] == ']', shared = end && end[-1] == 'g';
    struct node *arg = NULL;
    for (int i = 0; alone && !shared && i < f->params && i < call->n; i++)
        if (f->param[i]->number == atoi(at + 1) && !f->param[i]->reassigned)
            arg = strip(call->child[i]);
    const char *rest = shared || arg ? translate_indices(end + 1, f, call) : NULL;
    if (!rest)
        return NULL;
    if (shared)
        return intern(text("%.*s%s", (int)(end + 1 - suffix), suffix, rest));
    int head = (int)(open + 1 - suffix);
    if (arg->kind == K_LITERAL)
        return intern(text("%.*s%lld%s", head, suffix, arg->value, rest));
    if (arg->kind == K_REF && arg->decl && arg->decl->kind != D_FUNCTION)
        return intern(text("%.*s%s%s%s", head, suffix, arg->decl->name, named(arg->decl), rest));
    const char *from = computed(arg, 0);
    return from ? intern(text("%.*s?%s%s", head, suffix, from, rest)) : NULL;
}

struct path path_translate(const struct path *p, const struct function *f, const struct node *call)
{
    if (!p->ok || !p->root)
        return *p;
    struct path here = *p;
    here.suffix = translate_indices(p->suffix, f, call);
    if (!here.suffix)
        return none();
    p = &here;
    if (p->root->kind == D_GLOBAL || (p->root->kind == D_LOCAL && p->root->is_static))
        return *p;
    if (p->root->kind != D_PARAM || p->root->within != f || p->root->index >= call->n)
        return none();
    struct node *arg = strip(call->child[p->root->index]);
    struct path a = path_of(arg);
    if (!a.ok || !a.root)
        return none();
    const char *rest = p->suffix;
    if (rest[0] == '*' && rest[1] == '[' && arg && is_array(arg->type)) {
        rest++;
    } else if (*rest == '*') {
        a = path_deref(a, arg && is_array(arg->type));
        rest++;
    } else if (a.addr && *rest) {
        return none();
    }
    a = longer(a, rest);
    a.addr |= p->addr;
    return a;
}
