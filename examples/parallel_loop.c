/* A loop over the processors: each gets its share of the data, and a channel counts them in. */
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>

static void process_range(double *v, size_t n, chan_send_only(rn_unit) done)
{
    for (size_t i = 0; i < n; i++)
        v[i] = v[i] * v[i] + 1;
    chan_send(done, RN_UNIT);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    enum { N = 1000000 };
    double *data = malloc(N * sizeof *data);
    if (!data)
        return 1;
    for (size_t i = 0; i < N; i++)
        data[i] = (double)(i % 10);

    size_t shares = (size_t)rn_procs();
    chan(rn_unit) done = chan_make(rn_unit, rn_procs());
    for (size_t i = 0; i < shares; i++) {
        size_t begin = i * N / shares, end = (i + 1) * N / shares;
        go(process_range, data + begin, end - begin, done);
    }
    for (size_t i = 0; i < shares; i++)
        chan_recv(done);

    double sum = 0;
    for (size_t i = 0; i < N; i++)
        sum += data[i];
    printf("%.0f\n", sum);
    chan_free(done);
    free(data);
    return 0;
}
