/* Goroutines that outlive the handler whose request they look at. */
#include <runnel.h>
#include <runnel/http.h>
#include <stdio.h>

static rn_waitgroup all;

static void note(const http_request *r)
{
    printf("%s\n", r->path);
}

static void answer(http_writer *w, int n)
{
    http_printf(w, "%d\n", n);
}

static void audited(http_writer *w, const http_request *r)
{
    go(note, r); // want localptr
    http_puts(w, "ok\n");
}

static void counted(http_writer *w, const http_request *r)
{
    (void)r;
    wg_go(&all, answer, w, 3); // want localptr
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    http_handle("GET /audited", audited);
    http_handle("GET /counted", counted);
    int err = http_listen_and_serve(":8080", NULL);
    wg_wait(&all);
    return err ? 1 : 0;
}
