/* Fan-out: a goroutine for each item.  Each writes to its own place in the results, so there is
 * nothing to lock; the waitgroup makes the writes visible. */
#include <runnel.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void process(const char *item, char *result)
{
    for (; *item; item++)
        *result++ = (char)toupper((unsigned char)*item);
    *result = '\0';
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const char *const item[] = {"apple", "banana", "cherry", "date"};
    enum { N = sizeof item / sizeof *item };
    char result[N][16];
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < N; i++)
        wg_go(&wg, process, item[i], result[i]);
    wg_wait(&wg);
    for (int i = 0; i < N; i++)
        puts(result[i]);
    return 0;
}
