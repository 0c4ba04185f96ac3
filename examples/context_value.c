/* ctx_with_value: what belongs to one request travels with it through every call.  A key is an
 * address that nobody else has. */
#include <runnel.h>
#include <stdio.h>

static const char request_id; /* only its address counts */

static void log_line(rn_context *ctx, const char *text)
{
    const char *id = ctx_value(ctx, &request_id);
    printf("[%s] %s\n", id ? id : "-", text);
}

static void handle(rn_context *ctx)
{
    log_line(ctx, "handling");
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_context *ctx = ctx_with_value(ctx_background(), &request_id, "req-17");
    defer(ctx_cancel, ctx);
    rn_context *limited = ctx_with_timeout(ctx, RN_SECOND); /* values are inherited */
    defer(ctx_cancel, limited);
    log_line(ctx_background(), "starting");
    handle(limited);
    return 0;
}
