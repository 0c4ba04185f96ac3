#!/bin/sh
# The corpora of the HTTP server, and some seconds of libFuzzer from there: on the parser by itself, and on a whole server
# (HTTP/1, HTTP/2, WebSocket).  What is found lies in build/fuzz/found.
#
#     FUZZ_SECONDS=600 sh tests/fuzz/http.sh        for longer
#
# The server's stacks are not instrumented: the library below is as it is, and what an ended goroutine leaves
# behind would be taken for the next one's.
. "$(dirname "$0")/../tap.sh"
cd "$RUNNEL_ROOT" || exit 1
out=$RUNNEL_ROOT/build/fuzz
names=
library=
for build in build/release build/dev; do
    [ -z "$names" ] && [ -f "$build/llhttp/llhttp_names.h" ] && names=$build/llhttp
    [ -z "$library" ] && [ -f "$build/librunnel.a" ] && library=$build/librunnel.a
done
flags="-std=gnu11 -g -O1 -w -fno-sanitize-recover=all -Iinclude -Isrc -I$names -I/usr/share/include/llhttp"

build_parser() {
    # shellcheck disable=SC2086 # the flags are words
    clang $flags -fsanitize=fuzzer,address,undefined tests/fuzz/http_request.c src/http/parse.c src/http/path.c \
        "$names"/rn_*.c -o "$out/http_request"
}

build_server() {
    rm -rf "$out/objects" && mkdir "$out/objects" || return 1
    for source in src/http/*.c "$names"/rn_*.c tests/fuzz/http_server.c; do
        case $source in src/http/client*) ;; *) echo "$source" ;; esac
    done | xargs -P "$(nproc)" -I{} sh -c 'clang "$@" -fsanitize=fuzzer-no-link,address,undefined -mllvm -asan-stack=0 \
        -c {} -o "$0/$(basename {} .c).o"' "$out/objects" $flags || return 1
    clang -fsanitize=fuzzer,address,undefined "$out"/objects/*.o "$library" -lnghttp2 -lwslay -lssl -lcrypto \
        -lpthread -ldl -lm -o "$out/http_server"
}

# The library keeps what it will use again on stacks that the leak finder does not know: tests/fault and the
# sanitizer's tier look for leaks.
fuzz() {
    mkdir -p "$tap_dir/new" && "$out/$1" -runs=0 -detect_leaks=0 -timeout=60 "$2" &&
        "$out/$1" -max_total_time="${FUZZ_SECONDS:-5}" -max_len=4096 -timeout=60 -detect_leaks=0 -close_fd_mask=0 \
            -artifact_prefix="$out/found/" "$tap_dir/new" "$2"
}

mkdir -p "$out/found"
if ! command -v clang >/dev/null || [ -z "$names" ] || [ -z "$library" ]; then
    skip "HTTP under libFuzzer" "clang is missing, or the HTTP library was not built in build/release or build/dev"
    finish
fi
check "the parser's fuzz target builds" build_parser
check "the HTTP parser under libFuzzer" fuzz http_request tests/fuzz/corpus-http
check "the server's fuzz target builds" build_server
check "an HTTP server under libFuzzer" fuzz http_server tests/fuzz/corpus-http-server
finish
