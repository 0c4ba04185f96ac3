/* What the files of runnel-vet share: the tree that a source file becomes, and what is known of it.
 *
 * parse.c turns libclang's cursors into nodes, without parentheses and implicit conversions; the
 * operations of runnel stand in it as single calls, since overlay.c gives the parser headers in which
 * the macros are functions.  path.c names objects ("s->mu"), calls.c knows the library's functions,
 * summary.c what each function of the program does, flow.c follows each function's paths, values.c
 * follows channels and contexts through the program.  check_*.c and flow_*.c report.
 *
 * A short-lived process with one thread: memory lives until its end. */
#ifndef RUNNEL_VET_H
#define RUNNEL_VET_H

#include "../tool.h"
#include <clang-c/Index.h>

enum kind {
    K_OTHER,
    K_REF,       /* decl */
    K_MEMBER,    /* child 0 . or -> decl */
    K_INDEX,     /* child 0 [child 1] */
    K_DEREF,     /* * child 0 */
    K_ADDR,      /* & child 0 */
    K_NOT,       /* ! child 0 */
    K_STEP,      /* ++ or -- of child 0 */
    K_ASSIGN,    /* child 0 = child 1, also += and so on */
    K_BINARY,    /* op */
    K_COND,      /* child 0 ? child 1 : child 2 */
    K_LITERAL,   /* value */
    K_CAST,      /* written as one; child 0 */
    K_INIT,      /* { child … } */
    K_FIELDINIT, /* .decl = child 0 */
    K_COMPOUND,  /* (type){…}: child 0 is a K_INIT */
    K_CALL,      /* decl when it is a function; children: arguments */
    K_STMTEXPR,  /* child 0: a K_BLOCK */
    K_GO,        /* name: which macro; child 0 its owner or NULL, child 1 the call */
    K_DEFER,     /* child 0: the call */
    K_DECL,      /* children: K_VAR */
    K_VAR,       /* decl; child 0: the initial value, or NULL */
    K_BLOCK,
    K_IF,     /* condition, then, else or NULL */
    K_FOR,    /* init, condition, step, body; the first three may be NULL */
    K_WHILE,  /* condition, body */
    K_DO,     /* condition, body */
    K_SWITCH, /* value, body */
    K_CASE,   /* child 0: the statement */
    K_DEFAULT,
    K_LABEL, /* name; child 0: the statement */
    K_GOTO,  /* name */
    K_RETURN,
    K_BREAK,
    K_CONTINUE,
};

struct place {
    const char *file;
    unsigned line, column, offset;
};

struct decl;
struct node {
    enum kind kind;
    const char *op;   /* K_BINARY, K_ASSIGN: as written; NULL when a macro hides it */
    const char *name; /* what a call calls, a field, a label */
    struct place at;
    CXType type;
    CXCursor cursor;
    struct decl *decl;
    struct node **child;
    int n;
    long long value;
};

enum decl_kind { D_LOCAL, D_PARAM, D_GLOBAL, D_FIELD, D_FUNCTION };

struct function;
struct decl {
    enum decl_kind kind;
    const char *name;
    CXCursor cursor;
    CXType type;
    int number;              /* unlike every other's */
    int index;               /* of a parameter */
    struct node *scope;      /* D_LOCAL: the block or loop that it lives in; NULL for a whole function */
    struct node *init;       /* of a variable, or NULL */
    struct node *var;        /* D_LOCAL: its K_VAR */
    struct function *within; /* of a local or parameter */
    struct function *body;   /* D_FUNCTION: its definition, when the program has it */
    bool is_static;          /* of the file, or for the whole run */
    bool in_header;
    bool in_library;     /* declared by a header of runnel */
    bool cleaned_up;     /* D_LOCAL: perhaps, when its block is left (__attribute__((cleanup(f)))) */
    bool reassigned;     /* more than its first value, or its address is taken */
    struct value *value; /* see values.c */
};

/* The name of an object, or of a pointer's value: a variable and what is done to it.  Two that are
 * equal name the same object while none of their variables changes. */
struct path {
    bool ok;
    bool addr;          /* the address of what the rest names */
    struct decl *root;  /* NULL: a compound literal */
    const char *suffix; /* interned: "*" for a dereference, ".field", "[index]"; see path.c */
};

/* ---- functions of the program ------------------------------------------------------------------ */

enum op {
    OP_NONE,
    OP_LOCK,
    OP_RLOCK,
    OP_TRYLOCK,
    OP_TRYRLOCK,
    OP_LOCK_CTX,
    OP_RLOCK_CTX,
    OP_UNLOCK,
    OP_RUNLOCK,
    OP_WG_ADD,
    OP_WG_DONE,
    OP_WG_WAIT,
    OP_SEND,
    OP_RECV,
    OP_NEXT,
    OP_TRY_SEND,
    OP_TRY_RECV,
    OP_ON_SEND,
    OP_ON_RECV,
    OP_SELECT,
    OP_CLOSE,
    OP_CHAN_OTHER, /* len, cap, free: nothing that matters here */
    OP_CHAN_MAKE,
    OP_COND_WAIT,
    OP_SLEEP,
    OP_CTX_MAKE,
    OP_CTX_END,
    OP_CTX_USE,
    OP_JOIN,  /* waits until goroutines have ended */
    OP_BLOCK, /* waits for something else */
    OP_STOP,  /* does not return */
    OP_GO,
    OP_SCOPE_BEGIN,
    OP_ATOMIC,
    OP_HARMLESS, /* keeps nothing that it is given */
};

struct known {
    const char *name;
    enum op op;
    int object;     /* which argument */
    unsigned flags; /* of the bits below */
};
enum {
    BLOCKS = 1, /* may wait */
    JOINS = 2,  /* what it waits for is probably a goroutine's end or word */
    WITH_CTX = 4,
};
const struct known *known_call(const struct node *call);
bool never_waits(const struct node *call); /* false where nobody knows */

struct go_site {
    struct node *node;         /* K_GO */
    struct node *call;         /* its call */
    struct function *in;       /* who starts it */
    struct function *function; /* what is started, when the program has it */
    struct path owner;         /* the waitgroup … */
    bool in_loop;
    struct node *loop; /* the innermost */
    long long stack;   /* bytes, 0: the default */
};

/* Something that a function does, itself or by a call. */
struct event {
    enum op op;
    unsigned flags;
    struct path path;                           /* the object, or with ok false */
    struct node *node;                          /* here: the call, K_GO … */
    struct node *origin;                        /* where it is done, when by a call */
    struct function *via;                       /* the function called, or NULL */
    struct go_site *site;                       /* OP_GO */
    long long value;                            /* wg_add's number, 1 if not known */
    bool maybe;                                 /* in a branch or a loop */
    bool in_loop, deferred, in_condition, once; /* once: only if nobody has before (once_do) */
    struct node *loop;                          /* the innermost loop around it here */
};

struct function {
    struct decl *decl;
    const char *name;
    struct node *body;
    CXCursor cursor;
    struct decl **param;
    int params;
    struct event *event;
    int events, event_room;
    bool collected, collecting;
    int started;            /* how many K_GO start it */
    struct go_site *starts; /* the first of them */
    bool flowed, flowing;   /* flow.c is done, or under way */
    bool valuing, valued;   /* the same of values.c */
    struct fact *exit_held; /* locks that it leaves locked */
    int exit_helds;
    struct decl **writes; /* globals that it assigns to */
    int write_count;
};

struct vetted {
    struct function **function;
    int functions;
    struct go_site **site;
    int sites;
    long long stack;
};
extern struct vetted program;

/* ---- report.c ---------------------------------------------------------------------------------- */

void report(const struct place *at, const char *rule, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Prints what was reported, in order; returns how many. */
int print_reports(bool json);
const char *place_name(const struct place *p);

/* ---- parse.c ----------------------------------------------------------------------------------- */

const char *intern(const char *s);
/* Adds the functions of a file to the program.  `own` tells headers of the program from others. */
void parse_unit(CXTranslationUnit unit, bool (*own)(const char *file));
void forget_names(void); /* between programs */
const char *spelling(CXString s);
struct decl *declaration(CXCursor c);
struct node *strip(struct node *n);                      /* without casts, statement expressions and conversions */
bool is_within(struct node *n, const struct node *what); /* what is n, or somewhere in it */
bool is_constant(const struct node *n, bool *truth);
long long constant(CXCursor c, bool *known); /* its value as an integer */
void each_node(struct node *n, void (*f)(struct node *, void *), void *arg);

/* ---- types.c ----------------------------------------------------------------------------------- */

const char *lock_in(CXType t); /* the name of the sync type that t is or has inside, or NULL */
bool is_chan(CXType t);
bool is_recv_only(CXType t);
bool is_send_only(CXType t);
bool is_context(CXType t); /* rn_context * */
bool is_of_handler(CXType t);
bool is_pointer(CXType t);
bool is_array(CXType t);
bool is_record(CXType t);
bool is_lvalue(const struct node *n);

/* ---- path.c ------------------------------------------------------------------------------------ */

struct path path_of(struct node *n);
struct path object_of(struct node *pointer); /* of what it points to */
struct path path_deref(struct path p, bool array);
bool path_same(const struct path *a, const struct path *b);
const char *path_show(const struct path *p);
bool path_mentions(const struct path *p, const struct decl *d);
/* In terms of the caller: the parameters of f replaced by the call's arguments. */
struct path path_translate(const struct path *p, const struct function *f, const struct node *call);

/* ---- summary.c --------------------------------------------------------------------------------- */

void summarize(struct function *f);
struct function *callee(const struct node *call);
bool is_main(const struct function *f);
bool is_loop(const struct node *n);
bool is_endless(const struct function *f); /* has a loop that nothing leaves */
/* The first event of f that may wait, or NULL. */
const struct event *blocking_event(struct function *f);

/* ---- checks ------------------------------------------------------------------------------------ */

void check_copies(struct function *f);
void check_defers(struct function *f);
void check_readers(struct function *f);
void check_frees(struct function *f);
void check_answers(struct function *f);
void check_main(struct function *f);
void check_signals(struct function *f);
void check_flow(struct function *f);
void check_waitgroups(void);
void check_contexts_in_loops(struct function *f);
void check_polling(struct function *f);
void check_stacks(void);
void check_values(void);
void check_closers(void);

/* overlay.c */
struct CXUnsavedFile *overlay(const char *include, unsigned *n);

#endif
