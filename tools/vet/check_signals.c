/* signalhandler: a handler, given to signal() or sigaction(), that calls into runnel: it may have interrupted what it
 * calls, which then waits for itself. */
#include "vet.h"
#include <string.h>

static struct function *named(struct node *n)
{
    n = strip(n);
    if (n && n->kind == K_ADDR)
        n = strip(n->child[0]);
    return n && n->kind == K_REF && n->decl && n->decl->kind == D_FUNCTION ? n->decl->body : NULL;
}

/* rn__errno is what errno stands for. */
static bool is_forbidden(const struct node *n)
{
    return n->kind == K_CALL && n->decl && n->decl->in_library && strncmp(n->name, "rn_atomic_", 10) != 0 &&
           strncmp(n->name, "rn_debug_", 9) != 0 && strcmp(n->name, "rn__errno") != 0;
}

struct search {
    struct node *found;
    int depth;
};

/* The first call of the library in n, however deep in the functions that it calls. */
static void see_call(struct node *n, void *arg)
{
    struct search *s = arg;
    if (s->found)
        return;
    if (n->kind == K_GO || is_forbidden(n)) {
        s->found = n;
    } else if (n->kind == K_CALL && callee(n) && s->depth < 4) {
        s->depth++;
        each_node(callee(n)->body, see_call, s);
        s->depth--;
    }
}

static void judge(struct node *handler, const struct place *at)
{
    struct function *f = named(handler);
    struct search s = {0};
    if (f)
        each_node(f->body, see_call, &s);
    if (s.found)
        report(
            &s.found->at, "signalhandler",
            "%s, the handler of a signal (line %u), calls into runnel: it may have interrupted what it calls, and waits "
            "for itself then; set an atomic, or receive signals from a channel (rn_signal_notify)",
            f->name, at->line);
}

/* In an initializer libc's sa_handler stands for a part of this union. */
static bool is_handler_field(const char *name)
{
    return strcmp(name, "sa_handler") == 0 || strcmp(name, "sa_sigaction") == 0 ||
           strcmp(name, "__sigaction_handler") == 0;
}

static void see_handler(struct node *n, void *arg)
{
    (void)arg;
    if (n->kind == K_CALL && strcmp(n->name, "signal") == 0 && n->n == 2 && !callee(n))
        judge(n->child[1], &n->at);
    struct node *field = n->kind == K_ASSIGN && n->n == 2 ? strip(n->child[0]) : n->kind == K_FIELDINIT ? n : NULL;
    if (field && field->name && is_handler_field(field->name))
        judge(n->child[n->n - 1], &n->at);
}

void check_signals(struct function *f)
{
    each_node(f->body, see_handler, NULL);
}
