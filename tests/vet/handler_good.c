/* Goroutines that a handler waits for, or that get values of their own. */
#include <runnel.h>
#include <runnel/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void note(const http_request *r, rn_atomic_int *n)
{
    rn_atomic_add(n, (int)strlen(r->path));
}

static void audit(char *path)
{
    puts(path);
    free(path);
}

static void waits(http_writer *w, const http_request *r)
{
    rn_waitgroup wg = {0};
    rn_atomic_int n = {0};
    wg_go(&wg, note, r, &n);
    wg_go(&wg, note, r, &n);
    wg_wait(&wg);
    http_printf(w, "%d\n", rn_atomic_load(&n));
}

static void in_scope(http_writer *w, const http_request *r)
{
    rn_scope s;
    rn_atomic_int n = {0};
    scope_begin(&s, http_context(r));
    scope_go(&s, note, r, &n);
    (void)!scope_end(&s);
    http_printf(w, "%d\n", rn_atomic_load(&n));
}

static void copies(http_writer *w, const http_request *r)
{
    go(audit, strdup(r->path));
    http_puts(w, "ok\n");
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    http_handle("GET /waits", waits);
    http_handle("GET /in_scope", in_scope);
    http_handle("GET /copies", copies);
    return http_listen_and_serve(":8080", NULL) ? 1 : 0;
}
