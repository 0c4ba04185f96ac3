/* Every schedule once, those with the fewest steps first.
 *
 * A schedule is a list of steps that differ from the default, and every list of steps that can be met is
 * one schedule.  From one that has been run, those with one step more follow: for each choice after its
 * last step, each alternative that was not taken.  So every schedule has one parent, and a queue visits them
 * by their number of steps: first the default alone, then all with one step, and so on.
 *
 * Rejected: partial-order reduction (sleep sets, DPOR).  It leaves out schedules that differ only in the
 * order of steps which touch different objects of the runtime; but programs in C also meet in plain memory,
 * and the bugs that are sought are those where they do so unprotected.
 */
#define _GNU_SOURCE 1
#include "test/explore.h"

#ifdef RN_EXPLORE
#include <stdlib.h>
#include <string.h>

enum { NODES_MAX = 1 << 22, NOBODY = UINT32_MAX };

struct node {
    uint32_t parent; /* NOBODY: the default schedule, which has no step */
    uint32_t depth;
    struct rn_explore_step step;
};

struct rn_tree {
    uint64_t seed;
    struct node *nodes; /* in the order of their visits */
    uint32_t n, room, next;
    bool cut;
};

static void add(struct rn_tree *tree, struct node node)
{
    if (tree->n == tree->room) {
        uint32_t room = tree->room ? 2 * tree->room : 1024;
        struct node *more = room <= NODES_MAX ? realloc(tree->nodes, room * sizeof *more) : NULL;
        if (!more) {
            tree->cut = true;
            return;
        }
        tree->nodes = more;
        tree->room = room;
    }
    tree->nodes[tree->n++] = node;
}

struct rn_tree *rn__tree_make(uint64_t seed)
{
    struct rn_tree *tree = calloc(1, sizeof *tree);
    if (!tree)
        return NULL;
    tree->seed = seed;
    add(tree, (struct node){.parent = NOBODY});
    return tree;
}

bool rn__tree_next(struct rn_tree *tree, struct rn_schedule *s)
{
    if (tree->next == tree->n)
        return false;
    uint32_t at = tree->next++;
    s->seed = tree->seed;
    s->n = tree->nodes[at].depth;
    for (uint32_t i = s->n; i-- > 0; at = tree->nodes[at].parent)
        s->steps[i] = tree->nodes[at].step;
    return true;
}

void rn__tree_grow(struct rn_tree *tree)
{
    uint32_t parent = tree->next - 1, depth = tree->nodes[parent].depth + 1;
    const uint32_t *w = rn__plan->words, *end = w + rn__plan->words_n;
    for (; w < end; w += 4 + w[2])
        for (uint32_t i = 0; i < w[2]; i++)
            if (w[4 + i] != w[3])
                add(tree, (struct node){parent, depth, {w[0], w[1], w[4 + i]}});
}

bool rn__tree_cut(const struct rn_tree *tree)
{
    return tree->cut;
}

void rn__tree_free(struct rn_tree *tree)
{
    if (!tree)
        return;
    free(tree->nodes);
    free(tree);
}

#endif
