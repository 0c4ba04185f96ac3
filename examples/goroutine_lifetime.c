/* When main returns the program ends, whatever its goroutines do: neither dog nor cat is ever
 * heard of, and nobody waits for them. */
#include <runnel.h>
#include <stdio.h>

static void infinite_count(const char *thing)
{
    for (int i = 1;; i++) {
        rn_sleep(10 * RN_SECOND);
        printf("%d %s\n", i, thing);
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    go(infinite_count, "dog");
    go(infinite_count, "cat");
    puts("main returns");
    return 0;
}
