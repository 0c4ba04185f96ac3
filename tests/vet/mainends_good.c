/* A main that waits, or may: nobody knows. */
#include <runnel.h>
#include <stdio.h>

static void greet(const char *whom)
{
    printf("hello %s\n", whom);
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    rn_waitgroup wg = {0};
    defer(wg_wait, &wg);
    wg_go(&wg, greet, "world");
    puts("bye");
    return argc > 5;
}
