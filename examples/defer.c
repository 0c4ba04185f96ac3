/* defer runs a call when the scope is left, on every way out, last deferred first. */
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>

static void say(const char *text)
{
    puts(text);
}

static int half(int n)
{
    char *copy = malloc(64);
    if (!copy)
        return -1;
    defer(free, copy);
    defer(say, "leaving half");
    if (n % 2)
        return -1; /* both run here, */
    snprintf(copy, 64, "half of %d", n);
    puts(copy);
    return n / 2; /* and here */
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    defer(say, "leaving main");
    printf("%d\n", half(4));
    printf("%d\n", half(5));
    return 0;
}
