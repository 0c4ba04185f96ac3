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

static struct path index_path(struct node *n)
{
    struct path base = path_of(n->child[0]);
    struct node *index = strip(n->child[1]);
    struct path i;
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
    i = path_of(index);
    if (i.ok && !i.addr && i.root && !*i.suffix)
        return longer(base, text("[%s@%d]", i.root->name, i.root->number));
    return longer(base, text("[?%p]", (void *)n));
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
    char index[32];
    if (!p->ok)
        return false;
    if (p->root == d)
        return true;
    snprintf(index, sizeof index, "@%d]", d->number);
    return strstr(p->suffix, index) != NULL;
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
            s = strchr(s, ']');
            putc(']', f);
        } else {
            putc(*s, f);
        }
    }
    fclose(f);
    return to;
}

struct path path_translate(const struct path *p, const struct function *f, const struct node *call)
{
    if (!p->ok || !p->root || p->root->kind == D_GLOBAL || (p->root->kind == D_LOCAL && p->root->is_static))
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
