/* Structured concurrency: checksums of files, at most 8 at a time.  A scope cannot be left before every
 * goroutine started in it has ended, by return, break or panic alike; the first one to fail cancels the
 * others.  Pointers to the parent's variables are therefore safe to hand to children. */
#include <runnel.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* FNV-1a of a file's bytes. */
static int checksum(rn_context *ctx, const char *path, uint64_t *out)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return -errno;
    defer(fclose, file);
    uint64_t sum = 0xcbf29ce484222325;
    for (int c; (c = getc(file)) != EOF;) {
        sum = (sum ^ (uint64_t)c) * 0x100000001b3;
        if (sum % 4096 == 0 && ctx_err(ctx))
            return ctx_err(ctx); /* another one has failed: no need to go on */
    }
    *out = sum;
    return ferror(file) ? -EIO : 0;
}

int rn_main(int argc, char **argv)
{
    uint64_t sum[argc];
    rn_scope s;
    scope_begin(&s, ctx_background());
    scope_limit(&s, 8); /* at most 8 at a time: back-pressure */
    for (int i = 1; i < argc; i++)
        scope_go(&s, checksum, scope_context(&s), argv[i], &sum[i]);
    int err = scope_end(&s); /* joins; 0 or the first error */
    if (err) {
        fprintf(stderr, "%s\n", rn_strerror(err));
        return 1;
    }
    for (int i = 1; i < argc; i++)
        printf("%016" PRIx64 "  %s\n", sum[i], argv[i]);
    return 0;
}
