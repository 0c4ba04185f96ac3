/* A pool of buffers made of one channel and two selects with default: take one or allocate; give
 * it back or, when the pool is full, free it. */
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>

struct buffer {
    size_t length;
    char bytes[4096];
};

static struct buffer *get_buffer(chan_recv_only(struct buffer *) pool)
{
    struct buffer *b;
    if (chan_select(on_recv(pool, &b), on_default()) == 0)
        return b; /* reuse */
    return calloc(1, sizeof *b);
}

static void put_buffer(chan_send_only(struct buffer *) pool, struct buffer *b)
{
    b->length = 0;
    if (chan_select(on_send(pool, b), on_default()) == 1)
        free(b); /* the pool is full */
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(struct buffer *) pool = chan_make(struct buffer *, 2);
    struct buffer *b[3];
    for (int i = 0; i < 3; i++)
        b[i] = get_buffer(pool);
    for (int i = 0; i < 3; i++)
        put_buffer(pool, b[i]); /* the third finds no room */
    printf("kept: %zu\n", chan_len(pool));
    struct buffer *again = get_buffer(pool);
    printf("reused: %s\n", again == b[0] ? "yes" : "no");
    put_buffer(pool, again);

    for (struct buffer *rest; chan_try_recv(pool, &rest) == 0;)
        free(rest);
    chan_free(pool);
    return 0;
}
