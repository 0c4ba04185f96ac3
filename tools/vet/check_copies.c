/* copylock: an object of runnel/sync.h, or a struct or array with one inside, is copied.
 *
 * A copy has its own idea of who holds it and who waits: a lock that two sides lock in two places
 * protects nothing.  New values are fine: {0}, RN_MUTEX_INIT, a compound literal. */
#include "vet.h"
#include <string.h>

/* Is this an object that exists already?  (A constant one was never in use.) */
static bool copies(struct node *n)
{
    struct node *s = n;
    while (s && s->kind == K_CAST && s->n)
        s = s->child[0];
    if (!s)
        return false;
    if (s->kind == K_COND)
        return copies(s->child[1]) || copies(s->child[2]);
    if (s->kind == K_STMTEXPR)
        s = strip(s);
    if (s->kind == K_REF && s->decl && clang_isConstQualifiedType(s->decl->type))
        return false;
    return is_lvalue(s);
}

static const char *what(struct node *n, const char *lock)
{
    struct path p = path_of(n);
    CXType t = clang_getCanonicalType(n->type);
    const char *type = spelling(clang_getTypeSpelling(t));
    bool inside = !strstr(type, lock);
    const char *name = p.ok && p.root ? path_show(&p) : NULL;
    return text("%s%s%s%s%s", name ? name : "a value", inside ? ", which contains " : ", ",
                strncmp(lock, "rn_a", 4) == 0 ? "an " : "a ", lock, inside ? "" : "");
}

static void check_value(struct node *n, const char *how)
{
    const char *lock = n && !is_array(n->type) ? lock_in(n->type) : NULL; /* an array is a pointer here */
    if (lock && copies(n))
        report(&n->at, "copylock",
               "%s copies %s: the copy and the original know nothing of each other; use a pointer to "
               "the one object",
               how, what(n, lock));
}

static bool is_memory_copy(const char *name)
{
    return strcmp(name, "memcpy") == 0 || strcmp(name, "memmove") == 0 || strcmp(name, "__builtin_memcpy") == 0 ||
           strcmp(name, "__builtin_memmove") == 0 || strcmp(name, "mempcpy") == 0;
}

/* memcpy(a, b, n), where b is known to point to such an object. */
static void check_memory_copy(struct node *call)
{
    struct node *from = call->n > 1 ? strip(call->child[1]) : NULL;
    if (!from || !(is_pointer(from->type) || is_array(from->type)))
        return;
    CXType t = clang_getCanonicalType(from->type);
    CXType of = is_array(t) ? clang_getArrayElementType(t) : clang_getPointeeType(t);
    const char *lock = lock_in(of);
    if (lock)
        report(&call->at, "copylock",
               "%s copies an object with a %s inside, byte for byte: who holds it and who waits "
               "can't be copied; copy the other fields, and begin with a new %s",
               call->name, lock, lock);
}

static void check_node(struct node *n, void *arg)
{
    (void)arg;
    switch (n->kind) {
    case K_VAR:
        if (n->child[0])
            check_value(n->child[0], "this declaration");
        break;
    case K_ASSIGN:
        if (n->n == 2)
            check_value(n->child[1], "this assignment");
        break;
    case K_RETURN:
        if (n->n)
            check_value(n->child[0], "return");
        break;
    case K_INIT:
        for (int i = 0; i < n->n; i++)
            check_value(n->child[i]->kind == K_FIELDINIT ? n->child[i]->child[0] : n->child[i], "this initializer");
        break;
    case K_CALL:
        if (is_memory_copy(n->name))
            check_memory_copy(n);
        for (int i = 0; i < n->n; i++)
            check_value(n->child[i], text("the call of %s", strncmp(n->name, "rn__vet_", 8) ? n->name : n->name + 8));
        break;
    default:
        break;
    }
}

void check_copies(struct function *f)
{
    for (int i = 0; i < f->params; i++) {
        const char *lock = lock_in(f->param[i]->type);
        unsigned line, column;
        CXFile file;
        if (!lock)
            continue;
        clang_getExpansionLocation(clang_getCursorLocation(clang_Cursor_getArgument(f->cursor, (unsigned)i)), &file,
                                   &line, &column, NULL);
        struct place at = {spelling(clang_getFileName(file)), line, column, 0};
        report(&at, "copylock", "%s takes %s by value, a copy of a %s: take a pointer", f->name, f->param[i]->name,
               lock);
    }
    each_node(f->body, check_node, NULL);
}
