/* Child processes: two commands at the same time, what they print, and one that takes too long. */
#include <runnel.h>
#include <runnel/process.h>
#include <stdio.h>
#include <string.h>

static int sort_numbers(rn_context *ctx, const char *numbers, rn_output *o)
{
    const char *const argv[] = {"sort", "-n", NULL};
    rn_command c = {.argv = argv, .input = numbers, .input_size = strlen(numbers)};
    return process_output_ctx(ctx, &c, o);
}

static int take_too_long(rn_context *ctx)
{
    const char *const argv[] = {"sleep", "1000", NULL};
    return process_run_ctx(ctx, &(rn_command){.argv = argv}, NULL); /* killed when ctx is done */
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_output first = {0}, second = {0};
    rn_group both = RN_GROUP_INIT;
    group_go(&both, sort_numbers, NULL, "10\n9\n8\n", &first);
    group_go(&both, sort_numbers, NULL, "7\n5\n6\n", &second);
    int err = group_wait(&both);
    if (err)
        fprintf(stderr, "sort: %s\n", rn_strerror(err));
    else
        printf("%s%s", second.out, first.out);
    output_free(&first);
    output_free(&second);

    rn_context *ctx = ctx_with_timeout(ctx_background(), 20 * RN_MILLISECOND);
    printf("%s\n", rn_strerror(take_too_long(ctx)));
    ctx_cancel(ctx);
    return err != 0;
}
