/* Deferred in a block that ends right there. */
#include <runnel.h>
#include <stdlib.h>

static rn_mutex mu;
static int n;

static void in_an_if(bool shared)
{
    if (shared) {
        mutex_lock(&mu);
        defer(mutex_unlock, &mu); // want deferblock
    }
    n++;
}

static void in_a_loop(int times)
{
    for (int i = 0; i < times; i++) {
        void *p = malloc(8);
        n += p != NULL;
        defer(free, p); // want deferblock
    }
}

static void in_a_switch(int kind)
{
    switch (kind) {
    case 1: {
        rn_pin();
        defer(rn_unpin); // want deferblock
        break;
    }
    }
    n++;
}

static void in_a_round(int times)
{
    while (times--) {
        void *p = malloc(8);
        if (p) {
            defer(free, p); // want deferblock
            continue;
        }
        n++;
    }
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    in_an_if(argc > 1);
    in_a_loop(argc);
    in_a_switch(argc);
    in_a_round(argc);
    return n > 100;
}
