/* The headers as vet reads them: with the macros of runnel as plain functions.
 *
 * A program for the compiler has to check types and capture calls; vet wants to see "a send of v on
 * c".  So to the text of each header that defines such macros (in memory only) definitions are added
 * that replace them; where the program writes chan_send(c, v), the tree then has one call of
 * rn__vet_send with two arguments, whatever the compiler would see. */
#define _GNU_SOURCE 1
#include "vet.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char replaced[] =
    "\n"
    "#ifdef rn_go\n"
    "void rn__vet_go(const char *, ...);\n"
    "void rn__vet_defer(void);\n"
    "#undef rn_go\n"
    "#define rn_go(f, ...) ({ rn__vet_go(\"go\"); (void)(f)(__VA_ARGS__); })\n"
    "#undef rn_go_try\n"
    "#define rn_go_try(f, ...) ({ rn__vet_go(\"go_try\"); (void)(f)(__VA_ARGS__); 0; })\n"
    "#undef rn_go_with\n"
    "#define rn_go_with(o, f, ...) \\\n"
    "    ({ rn__vet_go(\"rn_go_with\", (struct rn_go_call){RN__STRIP o}); (void)(f)(__VA_ARGS__); 0; })\n"
    "#undef rn_run\n"
    "#define rn_run(f, ...) ({ rn__vet_go(\"rn_run\"); (void)(f)(__VA_ARGS__); 0; })\n"
    "#undef rn_defer\n"
    "#define rn_defer(f, ...) ({ rn__vet_defer(); (void)(f)(__VA_ARGS__); })\n"
    "#undef rn_defer_in\n"
    "#define rn_defer_in(T, f, arg) ({ rn__vet_defer(); (void)(f)(arg); })\n"
    "#undef rn_recover\n"
    "#define rn_recover() rn__recover((void *)0, (void *)0)\n"
    "#undef rn_recover_value\n"
    "#define rn_recover_value(v) rn__recover_value((void *)0, (void *)0, (v))\n"
    "#endif\n"
    "#ifdef rn_wg_go\n"
    "#undef rn_wg_go\n"
    "#define rn_wg_go(w, f, ...) ({ rn__vet_go(\"wg_go\", (w)); (void)(f)(__VA_ARGS__); })\n"
    "#endif\n"
    "#ifdef rn_group_go\n"
    "#undef rn_group_go\n"
    "#define rn_group_go(g, f, ...) ({ rn__vet_go(\"group_go\", (g)); (void)(f)(__VA_ARGS__); })\n"
    "#undef rn_group_try_go\n"
    "#define rn_group_try_go(g, f, ...) ({ rn__vet_go(\"group_try_go\", (g)); (void)(f)(__VA_ARGS__); true; })\n"
    "#endif\n"
    "#ifdef rn_scope_go\n"
    "void rn__vet_scope_begin(rn_scope *, rn_context *, int);\n"
    "#undef rn_scope_begin\n"
    "#define rn_scope_begin(s, ctx) rn__vet_scope_begin((s), (ctx), 0)\n"
    "#undef rn_scope_begin_with\n"
    "#define rn_scope_begin_with(s, ctx, p) rn__vet_scope_begin((s), (ctx), (p))\n"
    "#undef rn_scope_go\n"
    "#define rn_scope_go(s, f, ...) ({ rn__vet_go(\"scope_go\", (s)); (void)(f)(__VA_ARGS__); })\n"
    "#undef rn_scope_try_go\n"
    "#define rn_scope_try_go(s, f, ...) ({ rn__vet_go(\"scope_try_go\", (s)); (void)(f)(__VA_ARGS__); 0; })\n"
    "#undef rn_scope_supervise\n"
    "#define rn_scope_supervise(s, how, f, a) ({ rn__vet_go(\"scope_supervise\", (s), (how)); (void)(f)(a); })\n"
    "#endif\n"
    "#ifdef rn_after_func\n"
    "#undef rn_after_func\n"
    "#define rn_after_func(t, d, f, a) ({ rn__vet_go(\"rn_after_func\", (t), (d)); (void)(f)(a); })\n"
    "#endif\n"
    "#ifdef rn_ctx_after_func\n"
    "#undef rn_ctx_after_func\n"
    "#define rn_ctx_after_func(c, f, a) \\\n"
    "    ({ rn__vet_go(\"ctx_after_func\", (c)); (void)(f)(a); (rn_ctx_after *)0; })\n"
    "#endif\n"
    "#ifdef rn_once_do\n"
    "void rn__vet_once(void *);\n"
    "#undef rn_once_do\n"
    "#define rn_once_do(o, f, ...) ({ rn__vet_once((o)); (void)(f)(__VA_ARGS__); })\n"
    "#undef rn_once_value_get\n"
    "#define rn_once_value_get(v, f, ...) ({ rn__vet_once((v)); (f)(__VA_ARGS__); })\n"
    "#endif\n"
    "#ifdef rn_chan_send\n"
    "void rn__vet_send(const volatile void *, ...);\n"
    "int rn__vet_try_send(const volatile void *, ...);\n"
    "int rn__vet_send_ctx(rn_context *, const volatile void *, ...);\n"
    "void *rn__vet_recv(const volatile void *);\n"
    "bool rn__vet_next(const volatile void *, const volatile void *);\n"
    "int rn__vet_try_recv(const volatile void *, const volatile void *);\n"
    "int rn__vet_recv_ctx(rn_context *, const volatile void *, const volatile void *);\n"
    "#undef rn_chan_send\n"
    "#define rn_chan_send(c, ...) rn__vet_send((c), (__VA_ARGS__))\n"
    "#undef rn_chan_try_send\n"
    "#define rn_chan_try_send(c, ...) rn__vet_try_send((c), (__VA_ARGS__))\n"
    "#undef rn_chan_send_ctx\n"
    "#define rn_chan_send_ctx(ctx, c, ...) rn__vet_send_ctx((ctx), (c), (__VA_ARGS__))\n"
    "#undef rn_chan_recv\n"
    "#define rn_chan_recv(c) (*(RN_ELEM(c) *)rn__vet_recv((c)))\n"
    "#undef rn_chan_next\n"
    "#define rn_chan_next(c, p) rn__vet_next((c), (p))\n"
    "#undef rn_chan_recv_ok\n"
    "#define rn_chan_recv_ok(c, p) rn__vet_next((c), (p))\n"
    "#undef rn_chan_try_recv\n"
    "#define rn_chan_try_recv(c, p) rn__vet_try_recv((c), (p))\n"
    "#undef rn_chan_recv_ctx\n"
    "#define rn_chan_recv_ctx(ctx, c, p) rn__vet_recv_ctx((ctx), (c), (p))\n"
    "#undef rn_chan_close\n"
    "#endif\n"
    "#ifdef rn_chan_select\n"
    "int rn__vet_select(int, ...);\n"
    "struct rn_case rn__vet_on_recv(const volatile void *, const volatile void *, bool *);\n"
    "struct rn_case rn__vet_on_send(const volatile void *, ...);\n"
    "struct rn_case rn__vet_on_done(const rn_context *);\n"
    "struct rn_case rn__vet_on_timeout(rn_duration);\n"
    "struct rn_case rn__vet_on_default(void);\n"
    "#undef rn_chan_select\n"
    "#define rn_chan_select(...) rn__vet_select(0, ##__VA_ARGS__)\n"
    "#undef rn_on_recv\n"
    "#define rn_on_recv(c, p) rn__vet_on_recv((c), (p), (bool *)0)\n"
    "#undef rn_on_recv_ok\n"
    "#define rn_on_recv_ok(c, p, open) rn__vet_on_recv((c), (p), (open))\n"
    "#undef rn_on_send\n"
    "#define rn_on_send(c, ...) rn__vet_on_send((c), (__VA_ARGS__))\n"
    "#undef rn_on_done\n"
    "#define rn_on_done(ctx) rn__vet_on_done(ctx)\n"
    "#undef rn_on_timeout\n"
    "#define rn_on_timeout(d) rn__vet_on_timeout(d)\n"
    "#undef rn_on_default\n"
    "#define rn_on_default() rn__vet_on_default()\n"
    "#endif\n"
    /* vet's clang takes the plain function, which is declared noreturn. */
    "#ifdef rn_panic\n"
    "#undef rn_panic\n"
    "#undef rn_panic_value\n"
    "#endif\n";

struct CXUnsavedFile *overlay(const char *include, unsigned *n)
{
    static const char *const headers[] = {"go",    "chan", "select", "scope",  "waitgroup",
                                          "group", "once", "timer",  "context"};
    enum { N = sizeof headers / sizeof *headers };
    struct CXUnsavedFile *files = calloc(N, sizeof *files);
    *n = 0;
    for (int i = 0; files && i < N; i++) {
        char *path = text("%s/runnel/%s.h", include, headers[i]);
        char *original = read_file(path, NULL);
        if (!original)
            continue;
        char *all = text("%s%s", original, replaced);
        files[(*n)++] = (struct CXUnsavedFile){path, all, strlen(all)};
        free(original);
    }
    return files;
}
