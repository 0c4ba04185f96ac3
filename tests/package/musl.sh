#!/bin/sh
# The core is compiled for musl, too, and programs run with it: panics, reports, stacks of many goroutines.
. "$(dirname "$0")/../tap.sh"
unset CC CFLAGS LDFLAGS LDLIBS
cd "$tap_dir" || exit 1

# Debian's musl-gcc sees no headers of the kernel; those of glibc must stay hidden from it.
if ! command -v musl-gcc >/dev/null || [ ! -e /usr/include/linux/userfaultfd.h ]; then
    skip "musl" "no musl-gcc, or no headers of the kernel"
    finish
fi
mkdir headers
for name in /usr/include/linux /usr/include/asm-generic "/usr/include/$(cc -print-multiarch)/asm"; do
    ln -s "$name" headers
done
flags="-idirafter $tap_dir/headers"

cat >musl.c <<'END'
#include <runnel.h>
#include <runnel/file.h>
#include <runnel/net.h>
#include <stdio.h>
#include <stdlib.h>
static void square(chan(int) in, chan(long) out)
{
    for (int v; chan_next(in, &v);)
        chan_send(out, (long)v * v);
}
static void recovered(int *yes) { *yes = rn_recover() != NULL; }
static void panics(int *yes)
{
    defer(recovered, yes);
    rn_panic("caught");
}
static void waits(chan(int) c, rn_waitgroup *wg)
{
    chan_recv(c);
    wg_done(wg);
}
int rn_main(int argc, char **argv)
{
    chan(int) in = chan_make(int, 4);
    chan(long) out = chan_make(long, 4);
    rn_waitgroup wg = {0};
    int caught = 0;
    long sum = 0;
    char *data, byte;
    size_t size;
    rn_conn *a, *b;
    (void)argv;
    for (int i = 0; i < 4; i++)
        go(square, in, out);
    for (int i = 0; i < 100; i++) {
        chan_send(in, i);
        sum += chan_recv(out);
    }
    panics(&caught);
    if (file_write_all("file", "abc", 3, 0600) != 0 || file_read_all("file", &data, &size) != 0 || size != 3)
        return 3;
    free(data);
    if (net_pair(&a, &b) != 0 || net_write(a, "x", 1) != 1 || net_read(b, &byte, 1) != 1)
        return 4;
    wg_add(&wg, 20000);
    for (int i = 0; i < 20000; i++)
        go(waits, in, &wg);
    rn_sleep(1500 * RN_MILLISECOND); /* they are put away */
    chan_close(in);
    wg_wait(&wg);
    if (argc > 1)
        rn_panic("at last");
    return sum == 328350 && caught ? 0 : 1;
}
END

library() {
    cmake -G Ninja -S "$RUNNEL_ROOT" -B build -DCMAKE_C_COMPILER=musl-gcc -DCMAKE_C_FLAGS="$flags" -DRUNNEL_TESTS=OFF -DRUNNEL_HTTP=OFF \
        -DRUNNEL_WERROR=ON && cmake --build build --target runnel_static
}
# shellcheck disable=SC2086 # lists of words
program() { # how
    musl-gcc $flags $1 -O2 -o prog musl.c -I "$RUNNEL_ROOT/include" build/librunnel.a -pthread -Wl,--eh-frame-hdr && ./prog || return 1
    ./prog dies 2>said
    [ $? = 2 ] && grep -q 'panic: at last' said && grep -q 'goroutine 1 \[running\]' said
}
check "the core, for musl" library
check "a program" program ""
check "a static program" program -static
finish
