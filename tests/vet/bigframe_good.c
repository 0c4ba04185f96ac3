/* Small frames, static or allocated memory, larger stacks. */
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void small(int n)
{
    char line[4096];
    snprintf(line, sizeof line, "%d", n);
    puts(line);
}

static void is_static(void)
{
    static char buffer[1 << 20];
    memset(buffer, 0, sizeof buffer);
}

static void on_heap(void)
{
    char *buffer = malloc(1 << 20);
    if (!buffer)
        abort();
    memset(buffer, 0, 1 << 20);
    free(buffer);
}

static void large(void)
{
    char buffer[128 * 1024];
    memset(buffer, 0, sizeof buffer);
}

static void never_in_a_goroutine(void)
{
    char buffer[200 * 1024];
    memset(buffer, 0, sizeof buffer);
}

static void beside(int n)
{
    if (n) {
        char a[20000];
        memset(a, 0, sizeof a);
    } else {
        char b[20000];
        memset(b, 0, sizeof b);
    }
}

int main(int argc, char **argv)
{
    (void)argv;
    never_in_a_goroutine();
    return rn_run(printf, "%d\n", argc) < 0;
}

void start_all(rn_waitgroup *wg, int n)
{
    wg_go(wg, small, n);
    wg_go(wg, is_static);
    wg_go(wg, on_heap);
    wg_go(wg, beside, n);
    rn_go_with((.stack = 1 << 20), large);
}
