/* What a type is to runnel. */
#include "vet.h"
#include <stdio.h>
#include <string.h>

static const char *const sync_types[] = {
    "rn_mutex",         "rn_rwmutex",     "rn_waitgroup",  "rn_once",         "rn_cond",          "rn_semaphore",
    "rn_pool",          "rn_map",         "rn_flight",     "rn_group",        "rn_scope",         "rn_timer",
    "rn_ticker",        "rn_waitq",       "rn_atomic_int", "rn_atomic_int32", "rn_atomic_uint32", "rn_atomic_int64",
    "rn_atomic_uint64", "rn_atomic_bool", "rn_atomic_ptr", "rn_once_panic",
};

static CXType bare(CXType t)
{
    return clang_getCanonicalType(t);
}

static const char *record_name(CXType t)
{
    return spelling(clang_getCursorSpelling(clang_getTypeDeclaration(t)));
}

static enum CXVisitorResult look_at_field(CXCursor field, CXClientData data)
{
    const char **found = data;
    *found = lock_in(clang_getCursorType(field));
    return *found ? CXVisit_Break : CXVisit_Continue;
}

const char *lock_in(CXType t)
{
    t = bare(t);
    while (is_array(t))
        t = bare(clang_getArrayElementType(t));
    if (t.kind != CXType_Record)
        return NULL;
    const char *name = record_name(t), *found = NULL;
    for (size_t i = 0; i < sizeof sync_types / sizeof *sync_types; i++)
        if (strcmp(name, sync_types[i]) == 0)
            return strcmp(name, "rn_once_panic") == 0 ? "rn_once_value" : sync_types[i];
    clang_Type_visitFields(t, look_at_field, &found);
    return found;
}

bool is_pointer(CXType t)
{
    return bare(t).kind == CXType_Pointer;
}

bool is_array(CXType t)
{
    enum CXTypeKind k = bare(t).kind;
    return k == CXType_ConstantArray || k == CXType_IncompleteArray || k == CXType_VariableArray;
}

bool is_record(CXType t)
{
    return bare(t).kind == CXType_Record;
}

/* T (*qualifier *)(struct rn_chan_of *); the pointer in the middle. */
static bool chan_target(CXType t, CXType *target)
{
    t = bare(t);
    if (t.kind != CXType_Pointer)
        return false;
    *target = clang_getPointeeType(t);
    if (bare(*target).kind != CXType_Pointer)
        return false;
    CXType f = bare(clang_getPointeeType(bare(*target)));
    if (f.kind != CXType_FunctionProto || clang_getNumArgTypes(f) != 1)
        return false;
    CXType arg = bare(clang_getArgType(f, 0));
    return arg.kind == CXType_Pointer && strcmp(record_name(bare(clang_getPointeeType(arg))), "rn_chan_of") == 0;
}

bool is_chan(CXType t)
{
    CXType target;
    return chan_target(t, &target);
}

bool is_recv_only(CXType t)
{
    CXType target;
    return chan_target(t, &target) && clang_isConstQualifiedType(bare(target));
}

bool is_send_only(CXType t)
{
    CXType target;
    return chan_target(t, &target) && clang_isVolatileQualifiedType(bare(target));
}

bool is_context(CXType t)
{
    t = bare(t);
    return t.kind == CXType_Pointer && strcmp(record_name(bare(clang_getPointeeType(t))), "rn_context") == 0;
}

/* What an HTTP handler gets, and the server takes back when it returns. */
bool is_of_handler(CXType t)
{
    t = bare(t);
    const char *name = t.kind == CXType_Pointer ? record_name(bare(clang_getPointeeType(t))) : "";
    return strcmp(name, "rn_http_request") == 0 || strcmp(name, "rn_http_writer") == 0;
}

bool is_lvalue(const struct node *n)
{
    return n->kind == K_REF || n->kind == K_MEMBER || n->kind == K_INDEX || n->kind == K_DEREF;
}
