/* More on the stack than a goroutine has. */
#include <alloca.h>
#include <runnel.h>
#include <stdio.h>
#include <string.h>

struct page {
    char text[48 << 10];
};

static void large(int n)
{
    char buffer[128 * 1024]; // want bigframe
    memset(buffer, n, sizeof buffer);
}

static void several(void)
{
    int a[5000], b[5000];
    memset(a, 0, sizeof a);
    memcpy(b, a, sizeof b);
    struct page p; // the largest; want bigframe
    (void)p.text[0];
}

static void fits(void)
{
    struct page p; // want bigframe
    p.text[0] = 0;
    printf("%s\n", p.text);
}

static int parse(const char *s)
{
    char copy[60000]; // want bigframe
    snprintf(copy, sizeof copy, "%s", s);
    return copy[0];
}

static int middle(const char *s)
{
    return parse(s) + 1;
}

static void by_helper(const char *s)
{
    printf("%d\n", middle(s));
}

static void variable(int n)
{
    char buffer[n]; // want bigframe
    memset(buffer, 0, sizeof buffer);
}

static void by_alloca(size_t n)
{
    char *buffer = alloca(n); // want bigframe
    memset(buffer, 0, n);
}

static void still_too_large(void)
{
    char buffer[300 * 1024]; // want bigframe
    memset(buffer, 0, sizeof buffer);
}

int rn_main(int argc, char **argv)
{
    rn_waitgroup wg = {0};
    rn_scope s;
    scope_begin(&s, NULL);
    wg_go(&wg, large, argc);
    scope_go(&s, fits);
    wg_go(&wg, several);
    wg_go(&wg, by_helper, argv[0]);
    wg_go(&wg, variable, argc);
    wg_go(&wg, by_alloca, (size_t)argc);
    rn_go_with((.stack = 256 << 10), still_too_large);
    wg_wait(&wg);
    return scope_end(&s);
}
