/* Intrusive doubly linked list with ends; every operation is O(1).
 * Not thread safe: the owner's lock guards it.  An all-zero list is valid and empty. */
#ifndef RN_BASE_LIST_H
#define RN_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct rn_node {
    struct rn_node *next, *prev; /* NULL at the ends, and when in no list */
};

struct rn_list {
    struct rn_node *first, *last; /* both NULL when empty */
};

#define rn_container(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline bool rn_list_empty(const struct rn_list *l)
{
    return l->first == NULL;
}

static inline void rn_list_push(struct rn_list *l, struct rn_node *n)
{
    n->next = NULL;
    n->prev = l->last;
    if (l->last)
        l->last->next = n;
    else
        l->first = n;
    l->last = n;
}

static inline void rn_list_push_front(struct rn_list *l, struct rn_node *n)
{
    n->prev = NULL;
    n->next = l->first;
    if (l->first)
        l->first->prev = n;
    else
        l->last = n;
    l->first = n;
}

/* n goes before `before`, which is in l; NULL: to the end. */
static inline void rn_list_insert(struct rn_list *l, struct rn_node *n, struct rn_node *before)
{
    n->next = before;
    n->prev = before ? before->prev : l->last;
    *(n->prev ? &n->prev->next : &l->first) = n;
    *(before ? &before->prev : &l->last) = n;
}

/* n must be in l. */
static inline void rn_list_remove(struct rn_list *l, struct rn_node *n)
{
    if (n->prev)
        n->prev->next = n->next;
    else
        l->first = n->next;
    if (n->next)
        n->next->prev = n->prev;
    else
        l->last = n->prev;
    n->next = n->prev = NULL;
}

static inline struct rn_node *rn_list_pop(struct rn_list *l)
{
    struct rn_node *n = l->first;
    if (n)
        rn_list_remove(l, n);
    return n;
}

#endif
