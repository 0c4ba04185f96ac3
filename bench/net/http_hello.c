/* HTTP hello world: every GET is answered by 14 bytes of text.  Usage: http_hello ADDRESS.  It says that it listens, and
 * serves until SIGTERM; what it costs is read from outside, from /proc (see measure). */
#include "../core/stat.h"
#include <runnel/http.h>

static void hello(http_writer *w, const http_request *r)
{
    (void)r;
    http_set_header(w, "Content-Type", "text/plain");
    http_write(w, "Hello, World!\n", 14);
}

static void listening(void *arg, const char *address)
{
    (void)arg;
    printf("listening at %s\n", address);
    fflush(stdout);
}

int rn_main(int argc, char **argv)
{
    stat_check(argc == 2);
    http_handle("GET /", hello);
    http_options options = {.listening = listening};
    return http_listen_and_serve(argv[1], &options);
}
