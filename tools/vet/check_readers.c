/* loopvar, of readers: the text that reader_line and its like hand out lies in the reader's buffer, which the next round
 * fills anew; the goroutine or receiver that was given it sees what came later. */
#include "flow.h"
#include <string.h>

struct round {
    struct decl *text[8]; /* variables that a reader sets */
    const char *by[8];
    int n;
};

static void see_read(struct node *n, void *arg)
{
    static const char *const reads[] = {"rn_reader_line", "rn_reader_until", "rn_reader_peek"};
    struct round *r = arg;
    for (size_t i = 0; n->kind == K_CALL && i < sizeof reads / sizeof *reads; i++)
        for (int k = 0; strncmp(n->name, reads[i], strlen(reads[i])) == 0 && k < n->n; k++) {
            struct node *to = strip(n->child[k]);
            struct node *d = to && to->kind == K_ADDR ? strip(to->child[0]) : NULL;
            if (d && d->kind == K_REF && d->decl && is_pointer(d->decl->type) && r->n < 8) {
                r->by[r->n] = reads[i] + strlen("rn_");
                r->text[r->n++] = d->decl;
            }
        }
}

/* It gets another value as well: a copy, most likely. */
static void see_copy(struct node *n, void *arg)
{
    struct round *r = arg;
    for (int i = 0; n->kind == K_ASSIGN && i < r->n; i++)
        if (is_ref(n->child[0], r->text[i]))
            r->text[i] = NULL;
}

static void given(const struct round *r, const struct node *call, int from, const char *to)
{
    for (int i = from; i < call->n; i++)
        for (int k = 0; k < r->n; k++)
            if (r->text[k] && is_ref(call->child[i], r->text[k]))
                report(&call->at, "loopvar",
                       "%s gets %s, which lies in the reader's buffer: the next %s puts other text there; pass a copy "
                       "(strdup, or the bytes in a struct)",
                       to, r->text[k]->name, r->by[k]);
}

static void see_given(struct node *n, void *arg)
{
    const struct known *k = n->kind == K_CALL ? known_call(n) : NULL;
    if (n->kind == K_GO && n->child[1] && n->child[1]->kind == K_CALL)
        given(arg, n->child[1], 0, *n->child[1]->name ? n->child[1]->name : "the goroutine");
    else if (k && (k->op == OP_SEND || k->op == OP_TRY_SEND))
        given(arg, n, k->object + 1, "the receiver");
}

/* Waits in each round, for what it has started perhaps. */
static bool joins(const struct function *f, struct node *loop)
{
    for (int i = 0; i < f->events; i++)
        if ((f->event[i].flags & JOINS || f->event[i].op == OP_JOIN) && encloses(loop, f->event[i].node))
            return true;
    return false;
}

static void judge_readers(const struct function *f, struct node *n)
{
    struct round r = {0};
    if (!n)
        return;
    if (n->kind == K_FOR || n->kind == K_WHILE || n->kind == K_DO)
        each_node(n, see_read, &r);
    if (!r.n) {
        for (int i = 0; i < n->n; i++)
            judge_readers(f, n->child[i]);
    } else if (!joins(f, n)) {
        each_node(n, see_copy, &r);
        each_node(n, see_given, &r);
    }
}

void check_readers(struct function *f)
{
    judge_readers(f, f->body);
}
