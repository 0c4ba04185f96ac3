/* once_value: the same for a value: computed by the first who asks, kept for all. */
#include <runnel.h>
#include <stdio.h>

static rn_once_value(double) sum_of_squares;

static double compute(int n)
{
    puts("computing");
    double sum = 0;
    for (int i = 1; i <= n; i++)
        sum += (double)i * i;
    return sum;
}

static void show(void)
{
    printf("%.0f\n", once_value(&sum_of_squares, compute, 100));
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    show();
    show();
    return 0;
}
