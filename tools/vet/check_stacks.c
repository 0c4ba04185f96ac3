/* bigframe: what a goroutine's local variables take of its stack, those of the functions of the program
 * that it calls included.
 *
 * The sizes are those of the source: the compiler may share the places of variables, and adds some for
 * itself.  So blocks side by side count as the larger one, and reported is what takes more than half. */
#define _GNU_SOURCE 1
#include "vet.h"
#include <stdlib.h>
#include <string.h>

static long long size_of(CXType t)
{
    long long n = clang_Type_getSizeOf(t);
    return n > 0 ? n : 0;
}

struct frame {
    long long bytes;
    struct decl *largest;
    struct node *dynamic; /* a variable-length array or alloca */
    struct node *asks;    /* the call that leads deepest */
};

static struct frame measure(struct function *f, int depth);

static void deeper(struct frame *in, const struct frame *other)
{
    if (!in->dynamic)
        in->dynamic = other->dynamic;
    if (other->bytes > in->bytes) {
        in->bytes = other->bytes;
        in->largest = other->largest;
    }
}

static bool unbounded(const struct node *var)
{
    return clang_getCanonicalType(var->decl->type).kind == CXType_VariableArray;
}

static void measure_var(struct node *n, struct frame *own)
{
    if (n->decl->is_static)
        return;
    if (unbounded(n) && !own->dynamic)
        own->dynamic = n;
    long long size = size_of(n->decl->type);
    own->bytes += size;
    if (!own->largest || size > size_of(own->largest->type))
        own->largest = n->decl;
}

/* The variables of this node, and the most that one of the calls inside takes. */
static struct frame measure_node(struct node *n, int depth, struct frame *calls)
{
    struct frame own = {0}, inner = {0};
    if (!n)
        return own;
    if (n->kind == K_VAR)
        measure_var(n, &own);
    if (n->kind == K_CALL && (strcmp(n->name, "alloca") == 0 || strcmp(n->name, "__builtin_alloca") == 0))
        own.dynamic = n;
    if (n->kind == K_CALL && callee(n) && depth < 12) {
        struct frame called = measure(callee(n), depth + 1);
        deeper(calls, &called);
    }
    for (int i = 0; i < n->n; i++) {
        if (!n->child[i])
            continue;
        struct node *c = n->child[i];
        if (n->kind == K_GO && i == 1) { /* the goroutine's own stack */
            for (int k = 0; k < c->n; k++)
                measure_node(c->child[k], depth, calls);
            continue;
        }
        struct frame f = measure_node(c, depth, calls);
        bool beside = c->kind == K_BLOCK || c->kind == K_IF || c->kind == K_FOR || c->kind == K_WHILE ||
                      c->kind == K_SWITCH || c->kind == K_DO || c->kind == K_CASE || c->kind == K_DEFAULT;
        if (beside) {
            deeper(&inner, &f);
            continue;
        }
        own.bytes += f.bytes;
        if (f.largest && (!own.largest || size_of(f.largest->type) > size_of(own.largest->type)))
            own.largest = f.largest;
        if (!own.dynamic)
            own.dynamic = f.dynamic;
    }
    own.bytes += inner.bytes;
    if (inner.largest && (!own.largest || size_of(inner.largest->type) > size_of(own.largest->type)))
        own.largest = inner.largest;
    if (!own.dynamic)
        own.dynamic = inner.dynamic;
    return own;
}

static struct function *under_way[16];

static struct frame measure(struct function *f, int depth)
{
    struct frame calls = {0}, own;
    for (int i = 0; i < depth && i < 16; i++)
        if (under_way[i] == f)
            return calls; /* recursion: how deep, nobody knows */
    under_way[depth < 16 ? depth : 15] = f;
    own = measure_node(f->body, depth, &calls);
    for (int i = 0; i < f->params; i++)
        if (is_record(f->param[i]->type))
            own.bytes += size_of(f->param[i]->type);
    long long below = calls.bytes;
    if (calls.largest && (!own.largest || size_of(calls.largest->type) > size_of(own.largest->type)))
        own.largest = calls.largest;
    own.bytes += below;
    if (!own.dynamic)
        own.dynamic = calls.dynamic;
    return own;
}

static void check_site(const struct go_site *s)
{
    long long stack = s->stack ? s->stack : program.stack;
    if (strcmp(s->node->name, "rn_run") == 0 || stack < 0)
        return;
    struct frame f = measure(s->function, 0);
    if (f.dynamic)
        report(
            &f.dynamic->at, "bigframe",
            "how much this takes of the goroutine's stack (%lld KiB; started on line %u) is known only when it runs: an "
            "overflow ends the program; use malloc, or an array of fixed size",
            stack >> 10, s->node->at.line);
    if (f.bytes <= stack / 2 || !f.largest || !f.largest->var)
        return;
    report(
        &f.largest->var->at, "bigframe",
        "the variables of %s take %lld bytes of its goroutine's stack of %lld KiB (%s alone %lld): use malloc, make it "
        "static, or start it with rn_go_with((.stack = …), …) (line %u)",
        s->function->name, f.bytes, stack >> 10, f.largest->name, size_of(f.largest->type), s->node->at.line);
}

void check_stacks(void)
{
    for (int i = 0; i < program.sites; i++)
        if (program.site[i]->function)
            check_site(program.site[i]);
}
