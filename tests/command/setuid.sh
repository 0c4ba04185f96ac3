#!/bin/sh
# A program that runs with more rights than who started it does not follow that one's environment.
. "$(dirname "$0")/../tap.sh"
unset CC CFLAGS LDFLAGS LDLIBS RUNNEL_PROCS http_proxy no_proxy NO_PROXY
export XDG_CACHE_HOME="$tap_dir/cache"
cd "$tap_dir" || exit 1

cat >core.c <<'END'
#include <runnel.h>
int rn_main(int argc, char **argv)
{
    (void)argv;
    return argc - 1;
}
END
# Asks a port that nobody listens at.  A proxy that makes no sense is another error.
cat >web.c <<'END'
#include <runnel.h>
#include <runnel/http.h>
#include <stdio.h>
int rn_main(int argc, char **argv)
{
    http_response res = {0};
    (void)argc, (void)argv;
    int err = http_get(ctx_background(), "http://127.0.0.1:1/", &res);
    printf("%s\n", rn_strerror(err));
    http_response_free(&res);
    return 0;
}
END

# Root's way to such a program is one that belongs to somebody else.
raise_rights() { # program
    chown 65534 "$1" && chmod 4755 "$1"
}
settings() {
    "$RUNNEL" build -o core core.c && RUNNEL_PROCS=2 ./core && ! RUNNEL_PROCS=nonsense ./core && raise_rights ./core &&
        RUNNEL_PROCS=nonsense ./core
}
proxy() {
    "$RUNNEL" build -o web web.c && http_proxy='http://[' ./web >asked && raise_rights ./web &&
        http_proxy='http://[' ./web >raised && cat asked raised && ! grep -q refused asked && grep -q refused raised
}

: >probe
if [ "$(id -u)" != 0 ] || ! chown 65534 probe || findmnt -no OPTIONS -T . | grep -q nosuid; then
    skip "settings" "this user can't make such a program here"
    finish
fi
check "settings" settings
if [ -e "$RUNNEL_ROOT/build/release/librunnel_http.a" ]; then
    check "the HTTP client's proxy" proxy
fi
finish
