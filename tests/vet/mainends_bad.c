/* A main that ends when its goroutines may not have begun. */
#include <runnel.h>
#include <stdio.h>

static void greet(const char *whom)
{
    printf("hello %s\n", whom);
}

int rn_main(int argc, char **argv)
{
    rn_waitgroup wg = {0};
    chan(int) c = chan_make(int, 1);
    defer(chan_free, c);
    for (int i = 1; i < argc; i++)
        wg_go(&wg, greet, argv[i]); // want mainends
    puts("bye");
    return chan_len(c) == 0 ? 0 : 1;
}
