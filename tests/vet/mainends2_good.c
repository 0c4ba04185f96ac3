/* A main whose loop waits between its goroutines. */
#include <runnel.h>
#include <stdio.h>

static void serve(int c)
{
    printf("%d\n", c);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (int c; (c = getchar()) != EOF;)
        go(serve, c);
    return 1;
}
