/* From libclang's cursors to nodes.
 *
 * libclang 14 tells neither operators nor which parts of a for are there: both are read from the
 * source text between the operands, and left open where a macro of the program hides it. */
#define _GNU_SOURCE 1
#include "vet.h"
#include <ctype.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vetted program;

/* ---- strings, declarations ------------------------------------------------------------------- */

static void *strings;

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

const char *intern(const char *s)
{
    const char **found = tfind(s, &strings, by_text);
    if (!found) {
        char *copy = text("%s", s);
        found = tsearch(copy, &strings, by_text);
        if (!found)
            die(STATUS_FAILED, "out of memory");
    }
    return *found;
}

const char *spelling(CXString s)
{
    const char *c = clang_getCString(s);
    const char *kept = intern(c ? c : "");
    clang_disposeString(s);
    return kept;
}

enum { BUCKETS = 4096 };
static struct named {
    struct decl decl;
    const char *usr; /* of what other files may name as well; else NULL */
    struct named *next;
} * buckets[BUCKETS];
static int decl_count;
static bool (*is_own)(const char *file);

void forget_names(void)
{
    memset(buckets, 0, sizeof buckets);
    program = (struct vetted){.stack = program.stack};
}

static unsigned text_hash(const char *s)
{
    unsigned h = 5381;
    for (; *s; s++)
        h = h * 33 + (unsigned char)*s;
    return h;
}

static struct place place_of(CXSourceLocation where)
{
    CXFile file;
    struct place p = {0};
    clang_getExpansionLocation(where, &file, &p.line, &p.column, &p.offset);
    if (file)
        p.file = spelling(clang_getFileName(file));
    return p;
}

static enum decl_kind kind_of(CXCursor c)
{
    switch (clang_getCursorKind(c)) {
    case CXCursor_FunctionDecl:
        return D_FUNCTION;
    case CXCursor_ParmDecl:
        return D_PARAM;
    case CXCursor_FieldDecl:
        return D_FIELD;
    default:
        return clang_getCursorKind(clang_getCursorSemanticParent(c)) == CXCursor_FunctionDecl ? D_LOCAL : D_GLOBAL;
    }
}

struct decl *declaration(CXCursor c)
{
    if (clang_Cursor_isNull(c))
        return NULL;
    c = clang_getCanonicalCursor(c);
    bool shared = clang_getCursorLinkage(c) == CXLinkage_External || clang_getCursorKind(c) == CXCursor_FieldDecl;
    const char *usr = shared ? spelling(clang_getCursorUSR(c)) : NULL;
    unsigned h = (usr ? text_hash(usr) : clang_hashCursor(c)) % BUCKETS;
    for (struct named *e = buckets[h]; e; e = e->next)
        if (usr ? e->usr == usr : clang_equalCursors(e->decl.cursor, c))
            return &e->decl;
    struct named *e = calloc(1, sizeof *e);
    if (!e)
        die(STATUS_FAILED, "out of memory");
    *e = (struct named){.usr = usr, .next = buckets[h]};
    buckets[h] = e;
    struct decl *d = &e->decl;
    d->kind = kind_of(c);
    d->cursor = c;
    d->type = clang_getCursorType(c);
    d->name = spelling(clang_getCursorSpelling(c));
    d->number = ++decl_count;
    d->is_static = clang_Cursor_getStorageClass(c) == CX_SC_Static;
    struct place p = place_of(clang_getCursorLocation(c));
    d->in_header = p.file && !ends_with(p.file, ".c");
    d->in_library = p.file && !is_own(p.file);
    return d;
}

/* ---- the source text --------------------------------------------------------------------------- */

static CXTranslationUnit unit;

static bool text_between(CXSourceLocation from, CXSourceLocation to, const char **at, size_t *n)
{
    CXFile file, other;
    unsigned a, b;
    clang_getFileLocation(from, &file, NULL, NULL, &a);
    clang_getFileLocation(to, &other, NULL, NULL, &b);
    size_t size;
    if (!file || !clang_File_isEqual(file, other) || a > b)
        return false;
    const char *all = clang_getFileContents(unit, file, &size);
    if (!all || b > size)
        return false;
    *at = all + a;
    *n = b - a;
    return true;
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end) {
        if (isspace((unsigned char)*p) || *p == '\\' || *p == ')' || *p == '(') {
            p++;
        } else if (*p == '/' && p + 1 < end && p[1] == '*') {
            const char *close = memmem(p + 2, (size_t)(end - p - 2), "*/", 2);
            p = close ? close + 2 : end;
        } else if (*p == '/' && p + 1 < end && p[1] == '/') {
            const char *close = memchr(p, '\n', (size_t)(end - p));
            p = close ? close : end;
        } else {
            break;
        }
    }
    return p;
}

static const char *operator_between(CXCursor a, CXCursor b)
{
    const char *at;
    size_t n;
    char op[4] = {0};
    if (!text_between(clang_getRangeEnd(clang_getCursorExtent(a)), clang_getRangeStart(clang_getCursorExtent(b)), &at,
                      &n))
        return NULL;
    const char *end = at + n, *p = skip_space(at, end);
    for (int i = 0; i < 3 && p < end && strchr("=!<>&|+-*/%^,", *p); i++)
        op[i] = *p++;
    /* "&&!x", "=-1", "=&x": the second one is not of this operator. */
    size_t len = strlen(op);
    if (len > 1 && strchr("&*!-+", op[len - 1]) && strcmp(op, "&&") != 0)
        op[len - 1] = 0;
    return op[0] ? intern(op) : NULL;
}

/* ---- expressions ------------------------------------------------------------------------------- */

struct cursors {
    CXCursor *at;
    int n, room;
};

static enum CXChildVisitResult add_child(CXCursor c, CXCursor parent, CXClientData data)
{
    struct cursors *l = data;
    (void)parent;
    if (l->n == l->room) {
        l->room = l->room ? 2 * l->room : 8;
        l->at = realloc(l->at, (size_t)l->room * sizeof *l->at);
        if (!l->at)
            die(STATUS_FAILED, "out of memory");
    }
    l->at[l->n++] = c;
    return CXChildVisit_Continue;
}

static struct cursors children_of(CXCursor c)
{
    struct cursors l = {0};
    clang_visitChildren(c, add_child, &l);
    return l;
}

static struct node *convert(CXCursor c);
static struct function *current;
static struct node *scope;

static struct node *node(enum kind kind, CXCursor c, int children)
{
    struct node *n = calloc(1, sizeof *n);
    if (!n || (children && !(n->child = calloc((size_t)children, sizeof *n->child))))
        die(STATUS_FAILED, "out of memory");
    n->kind = kind;
    n->n = children;
    n->cursor = c;
    n->type = clang_getCursorType(c);
    n->at = place_of(clang_getRangeStart(clang_getCursorExtent(c)));
    return n;
}

static struct node *convert_all(enum kind kind, CXCursor c, const struct cursors *l)
{
    struct node *n = node(kind, c, l->n);
    for (int i = 0; i < l->n; i++)
        n->child[i] = convert(l->at[i]);
    return n;
}

static bool is_code(CXCursor c)
{
    enum CXCursorKind k = clang_getCursorKind(c);
    return clang_isExpression(k) || clang_isStatement(k);
}

/* The last child that is an expression: the operand of a cast, the list of a compound literal. */
static struct node *last_operand(const struct cursors *l)
{
    for (int i = l->n; i-- > 0;)
        if (clang_isExpression(clang_getCursorKind(l->at[i])))
            return convert(l->at[i]);
    return NULL;
}

static struct node *wrap(enum kind kind, CXCursor c, struct node *child)
{
    struct node *n = node(kind, c, child ? 1 : 0);
    if (child)
        n->child[0] = child;
    return n;
}

long long constant(CXCursor c, bool *known)
{
    CXEvalResult r = clang_Cursor_Evaluate(c);
    *known = r && clang_EvalResult_getKind(r) == CXEval_Int;
    long long v = *known ? clang_EvalResult_getAsLongLong(r) : 0;
    if (r)
        clang_EvalResult_dispose(r);
    return v;
}

static struct node *convert_unary(CXCursor c, const struct cursors *l)
{
    if (l->n != 1)
        return convert_all(K_OTHER, c, l);
    struct node *child = convert(l->at[0]), *n = wrap(K_OTHER, c, child);
    CXType own = clang_getCanonicalType(n->type), of = clang_getCanonicalType(clang_getCursorType(l->at[0]));
    const char *at;
    size_t size;
    char first = 0, last = 0;
    CXSourceRange range = clang_getCursorExtent(c);
    if (text_between(clang_getRangeStart(range), clang_getRangeEnd(range), &at, &size) && size > 1) {
        first = at[0];
        last = at[size - 1];
    }
    if (child->kind == K_STMTEXPR)
        return child; /* __extension__ */
    bool after = (isalnum((unsigned char)first) || first == '_' || first == '(') && (last == '+' || last == '-');
    if ((first == '+' && at[1] == '+') || (first == '-' && at[1] == '-') || after)
        n->kind = K_STEP;
    else if (own.kind == CXType_Pointer && clang_equalTypes(clang_getCanonicalType(clang_getPointeeType(own)), of))
        n->kind = K_ADDR;
    else if (is_pointer(of) && clang_equalTypes(clang_getCanonicalType(clang_getPointeeType(of)), own))
        n->kind = K_DEREF;
    else if (is_array(of) && first == '*')
        n->kind = K_DEREF;
    else if (first == '!')
        n->kind = K_NOT;
    return n;
}

static struct node *convert_call(CXCursor c, const struct cursors *l)
{
    int args = clang_Cursor_getNumArguments(c);
    struct node *n = node(K_CALL, c, args < 0 ? 0 : args);
    for (int i = 0; i < args; i++)
        n->child[i] = convert(clang_Cursor_getArgument(c, (unsigned)i));
    CXCursor f = clang_getCursorReferenced(c);
    if (clang_getCursorKind(f) == CXCursor_FunctionDecl) {
        n->decl = declaration(f);
        n->name = n->decl->name;
        return n;
    }
    /* By a pointer; or through a cast or &f. */
    struct node *function = l->n ? strip(convert(l->at[0])) : NULL;
    while (function && (function->kind == K_ADDR || function->kind == K_DEREF))
        function = strip(function->child[0]);
    if (function && function->decl && function->decl->kind == D_FUNCTION)
        n->decl = function->decl;
    n->name = n->decl ? n->decl->name : intern("");
    return n;
}

static struct node *convert_unexposed(CXCursor c, const struct cursors *l)
{
    if (l->n > 1 && clang_getCursorKind(l->at[0]) == CXCursor_MemberRef) { /* .field = value */
        struct node *n = wrap(K_FIELDINIT, c, convert(l->at[l->n - 1]));
        n->decl = declaration(clang_getCursorReferenced(l->at[0]));
        n->name = n->decl ? n->decl->name : intern("");
        return n;
    }
    return l->n == 1 ? convert(l->at[0]) : convert_all(K_OTHER, c, l);
}

/* ---- statements -------------------------------------------------------------------------------- */

/* __attribute__((cleanup(f))) is one of those that libclang has no name for. */
static bool has_other_attribute(CXCursor var)
{
    struct cursors l = children_of(var);
    bool found = false;
    for (int i = 0; i < l.n; i++)
        found |= clang_getCursorKind(l.at[i]) == CXCursor_UnexposedAttr;
    free(l.at);
    return found;
}

static struct node *convert_var(CXCursor c)
{
    struct decl *d = declaration(c);
    CXCursor init = clang_Cursor_getVarDeclInitializer(c);
    struct node *n = node(K_VAR, c, 1);
    n->at = place_of(clang_getCursorLocation(c));
    n->decl = d;
    n->name = d->name;
    d->within = current;
    d->scope = scope;
    d->var = n;
    d->cleaned_up = has_other_attribute(c);
    if (!clang_Cursor_isNull(init))
        n->child[0] = d->init = convert(init);
    return n;
}

static struct node *convert_declarations(CXCursor c, const struct cursors *l)
{
    struct node *n = node(K_DECL, c, l->n);
    n->n = 0;
    for (int i = 0; i < l->n; i++)
        if (clang_getCursorKind(l->at[i]) == CXCursor_VarDecl)
            n->child[n->n++] = convert_var(l->at[i]);
    return n;
}

static bool is_call_of(const struct node *n, const char *name)
{
    return n && n->kind == K_CALL && strcmp(n->name, name) == 0;
}

/* ({ rn__vet_go("go", owner); (void)f(args); … }): see overlay.c. */
static struct node *recognize(struct node *expr)
{
    struct node *block = expr->n ? expr->child[0] : NULL;
    if (!block || block->kind != K_BLOCK || block->n < 2)
        return expr;
    struct node *first = strip(block->child[0]), *call = strip(block->child[1]);
    bool go = is_call_of(first, "rn__vet_go"), defer = is_call_of(first, "rn__vet_defer");
    if (!go && !defer)
        return expr;
    struct node *n = node(go ? K_GO : K_DEFER, expr->cursor, go ? 2 : 1);
    n->at = expr->at;
    n->child[n->n - 1] = call;
    if (go) {
        n->child[0] = first->n > 1 ? first->child[1] : NULL;
        n->name = intern(first->n ? first->child[0]->name : "go");
    }
    return n;
}

static bool in_for_part(const char *text, size_t n, int part)
{
    int depth = 0, at = 0;
    bool some = false;
    for (const char *p = text, *end = text + n; p < end; p++) {
        if (*p == '(' && depth++ == 0)
            continue;
        if (*p == ')' && --depth == 0)
            break;
        if (*p == ';' && depth == 1)
            at++;
        else if (at == part && depth >= 1 && !isspace((unsigned char)*p))
            some = true;
    }
    return some;
}

/* The parts of a for that are there come in order; which ones tells the text. */
static struct node *convert_for(CXCursor c, const struct cursors *l)
{
    struct node *n = node(K_FOR, c, 4), *outer = scope;
    const char *at;
    size_t size;
    bool have[3];
    int parts = l->n - 1, next = 0;
    scope = n;
    bool known = l->n > 0 && text_between(clang_getRangeStart(clang_getCursorExtent(c)),
                                          clang_getRangeStart(clang_getCursorExtent(l->at[l->n - 1])), &at, &size);
    for (int i = 0; i < 3; i++)
        have[i] = known && in_for_part(at, size, i);
    if (have[0] + have[1] + have[2] != parts) { /* in a macro: a guess */
        have[0] = parts == 3 || (parts > 0 && clang_getCursorKind(l->at[0]) == CXCursor_DeclStmt);
        have[1] = parts - have[0] >= 1;
        have[2] = parts - have[0] >= 2;
    }
    for (int i = 0; i < 3; i++)
        if (have[i] && next < parts)
            n->child[i] = convert(l->at[next++]);
    n->child[3] = parts >= 0 ? convert(l->at[l->n - 1]) : NULL;
    scope = outer;
    return n;
}

static struct node *convert_block(CXCursor c, const struct cursors *l)
{
    struct node *n = node(K_BLOCK, c, l->n), *outer = scope;
    scope = n;
    for (int i = 0; i < l->n; i++)
        n->child[i] = convert(l->at[i]);
    scope = outer;
    return n;
}

static struct node *padded(enum kind kind, CXCursor c, const struct cursors *l, int children)
{
    struct node *n = node(kind, c, children);
    for (int i = 0; i < l->n && i < children; i++)
        n->child[i] = convert(l->at[i]);
    return n;
}

static struct node *convert_statement(CXCursor c, const struct cursors *l)
{
    struct node *n;
    switch ((int)clang_getCursorKind(c)) {
    case CXCursor_CompoundStmt:
        return convert_block(c, l);
    case CXCursor_DeclStmt:
        return convert_declarations(c, l);
    case CXCursor_IfStmt:
        return padded(K_IF, c, l, 3);
    case CXCursor_ForStmt:
        return convert_for(c, l);
    case CXCursor_WhileStmt:
        return padded(K_WHILE, c, l, 2);
    case CXCursor_DoStmt: /* the body comes first */
        n = node(K_DO, c, 2);
        n->child[1] = l->n > 0 ? convert(l->at[0]) : NULL;
        n->child[0] = l->n > 1 ? convert(l->at[1]) : NULL;
        return n;
    case CXCursor_SwitchStmt:
        return padded(K_SWITCH, c, l, 2);
    case CXCursor_CaseStmt:
        n = wrap(K_CASE, c, l->n ? convert(l->at[l->n - 1]) : NULL);
        n->value = l->n > 1 ? constant(l->at[0], &(bool){false}) : -1;
        return n;
    case CXCursor_DefaultStmt:
        return wrap(K_DEFAULT, c, l->n ? convert(l->at[0]) : NULL);
    case CXCursor_LabelStmt:
        n = wrap(K_LABEL, c, l->n ? convert(l->at[l->n - 1]) : NULL);
        n->name = spelling(clang_getCursorSpelling(c));
        return n;
    case CXCursor_GotoStmt:
        n = node(K_GOTO, c, 0);
        n->name = l->n ? spelling(clang_getCursorSpelling(l->at[0])) : intern("");
        return n;
    case CXCursor_ReturnStmt:
        return convert_all(K_RETURN, c, l);
    case CXCursor_BreakStmt:
        return node(K_BREAK, c, 0);
    case CXCursor_ContinueStmt:
        return node(K_CONTINUE, c, 0);
    case CXCursor_NullStmt:
        return node(K_OTHER, c, 0);
    default:
        return l->n == 1 ? convert(l->at[0]) : convert_all(K_OTHER, c, l);
    }
}

static struct node *convert_expression(CXCursor c, const struct cursors *l)
{
    struct node *n;
    bool known;
    switch ((int)clang_getCursorKind(c)) {
    case CXCursor_DeclRefExpr:
        n = node(K_REF, c, 0);
        n->decl = declaration(clang_getCursorReferenced(c));
        n->name = n->decl ? n->decl->name : intern("");
        return n;
    case CXCursor_MemberRefExpr:
        n = wrap(K_MEMBER, c, last_operand(l));
        n->decl = declaration(clang_getCursorReferenced(c));
        n->name = n->decl ? n->decl->name : intern("");
        return n;
    case CXCursor_ParenExpr:
    case CXCursor_UnexposedExpr:
        return convert_unexposed(c, l);
    case CXCursor_UnaryOperator:
        return convert_unary(c, l);
    case CXCursor_BinaryOperator:
    case CXCursor_CompoundAssignOperator:
        n = convert_all(K_BINARY, c, l);
        n->op = l->n == 2 ? operator_between(l->at[0], l->at[1]) : NULL;
        if (clang_getCursorKind(c) == CXCursor_CompoundAssignOperator || (n->op && strcmp(n->op, "=") == 0) ||
            (!n->op && n->n == 2 && is_lvalue(n->child[0]) && (is_pointer(n->type) || is_record(n->type))))
            n->kind = K_ASSIGN;
        return n;
    case CXCursor_ConditionalOperator:
        return padded(K_COND, c, l, 3);
    case CXCursor_IntegerLiteral:
    case CXCursor_CharacterLiteral:
        n = node(K_LITERAL, c, 0);
        n->value = constant(c, &known);
        return n;
    case CXCursor_UnaryExpr: /* sizeof: nothing in it is evaluated */
        return node(K_OTHER, c, 0);
    case CXCursor_StringLiteral:
        n = node(K_OTHER, c, 0);
        n->name = spelling(clang_getCursorSpelling(c));
        if (n->name[0] == '"')
            n->name = intern(text("%.*s", (int)strlen(n->name) - 2, n->name + 1));
        return n;
    case CXCursor_CStyleCastExpr:
        return wrap(K_CAST, c, last_operand(l));
    case CXCursor_CompoundLiteralExpr:
        return wrap(K_COMPOUND, c, last_operand(l));
    case CXCursor_InitListExpr:
        return convert_all(K_INIT, c, l);
    case CXCursor_ArraySubscriptExpr:
        return convert_all(l->n == 2 ? K_INDEX : K_OTHER, c, l);
    case CXCursor_CallExpr:
        return convert_call(c, l);
    case CXCursor_StmtExpr:
        return recognize(convert_all(K_STMTEXPR, c, l));
    default:
        return l->n == 1 && is_code(l->at[0]) ? convert(l->at[0]) : convert_all(K_OTHER, c, l);
    }
}

static struct node *convert(CXCursor c)
{
    struct node *n;
    enum CXCursorKind k = clang_getCursorKind(c);
    if (k == CXCursor_VarDecl)
        return convert_var(c);
    if (!clang_isExpression(k) && !clang_isStatement(k))
        return node(K_OTHER, c, 0);
    struct cursors l = children_of(c);
    if (clang_isExpression(k))
        n = convert_expression(c, &l);
    else
        n = convert_statement(c, &l);
    free(l.at);
    return n;
}

/* ---- functions --------------------------------------------------------------------------------- */

static void add_function(CXCursor c)
{
    struct cursors l = children_of(c);
    struct decl *d = declaration(c);
    int args = clang_Cursor_getNumArguments(c);
    if (l.n == 0 || clang_getCursorKind(l.at[l.n - 1]) != CXCursor_CompoundStmt || d->body)
        return;
    struct function *f = calloc(1, sizeof *f);
    if (!f)
        die(STATUS_FAILED, "out of memory");
    f->decl = d;
    f->name = d->name;
    f->cursor = c;
    f->params = args < 0 ? 0 : args;
    f->param = calloc((size_t)f->params + 1, sizeof *f->param);
    current = f;
    for (int i = 0; f->param && i < f->params; i++) {
        f->param[i] = declaration(clang_Cursor_getArgument(c, (unsigned)i));
        f->param[i]->index = i;
        f->param[i]->within = f;
        f->param[i]->kind = D_PARAM;
    }
    scope = NULL;
    f->body = convert(l.at[l.n - 1]);
    d->body = f;
    program.function = realloc(program.function, (size_t)(program.functions + 1) * sizeof *program.function);
    if (!program.function)
        die(STATUS_FAILED, "out of memory");
    program.function[program.functions++] = f;
    free(l.at);
}

static enum CXChildVisitResult visit_top(CXCursor c, CXCursor parent, CXClientData data)
{
    (void)parent, (void)data;
    CXSourceLocation where = clang_getCursorLocation(c);
    if (clang_Location_isInSystemHeader(where))
        return CXChildVisit_Continue;
    struct place p = place_of(where);
    if (!p.file || !is_own(p.file))
        return CXChildVisit_Continue;
    if (clang_getCursorKind(c) == CXCursor_FunctionDecl && clang_isCursorDefinition(c))
        add_function(c);
    if (clang_getCursorKind(c) == CXCursor_VarDecl) {
        struct decl *d = declaration(c);
        CXCursor init = clang_Cursor_getVarDeclInitializer(c);
        if (!clang_Cursor_isNull(init) && !d->init)
            d->init = convert(init);
    }
    return CXChildVisit_Continue;
}

void parse_unit(CXTranslationUnit u, bool (*own)(const char *file))
{
    unit = u;
    is_own = own;
    current = NULL;
    clang_visitChildren(clang_getTranslationUnitCursor(u), visit_top, NULL);
}

/* ---- looking at nodes -------------------------------------------------------------------------- */

struct node *strip(struct node *n)
{
    while (n) {
        if ((n->kind == K_CAST || (n->kind == K_OTHER && n->n == 1 && !n->name)) && n->n == 1)
            n = n->child[0];
        else if (n->kind == K_STMTEXPR && n->n && n->child[0]->kind == K_BLOCK && n->child[0]->n)
            n = n->child[0]->child[n->child[0]->n - 1];
        else
            break;
    }
    return n;
}

bool is_within(struct node *n, const struct node *what)
{
    bool found = n == what;
    for (int i = 0; n && i < n->n && !found; i++)
        found = is_within(n->child[i], what);
    return found;
}

bool is_constant(const struct node *n, bool *truth)
{
    const struct node *s = strip((struct node *)n);
    if (!s || s->kind != K_LITERAL)
        return false;
    *truth = s->value != 0;
    return true;
}

void each_node(struct node *n, void (*f)(struct node *, void *), void *arg)
{
    if (!n)
        return;
    f(n, arg);
    for (int i = 0; i < n->n; i++)
        each_node(n->child[i], f, arg);
}
