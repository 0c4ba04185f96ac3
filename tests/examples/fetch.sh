#!/bin/sh
# examples/fetch.c against nginx: pages, failures, and the bar when stderr is a terminal.
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../nginx.sh"
fetch=$tap_dir/fetch
"$RUNNEL" build -o "$fetch" "$RUNNEL_ROOT/examples/fetch.c" || exit 1
mkdir "$tap_dir/site"
printf 'hello' >"$tap_dir/site/one"
printf 'hello, world' >"$tap_dir/site/two"
cd "$tap_dir" || exit 1
unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY

pages() {
    "$fetch" "$base/one" "$base/two" "$base/three" >out 2>err || return 1
    grep -qE "^200 +5 B +[0-9.]+ ms  $base/one\$" out && grep -qE "^200 +12 B +[0-9.]+ ms  $base/two\$" out &&
        grep -qE "^404 .*/three\$" out && [ ! -s err ] && [ "$(wc -l <out)" = 3 ]
}

failures() {
    "$fetch" "$base/one" http://127.0.0.1:1/ http://nowhere.invalid/ foo: >out 2>err
    [ $? = 1 ] && grep -q "^200 " out && grep -q '^FAIL http://127.0.0.1:1/: .*onnect' err &&
        grep -q '^FAIL http://nowhere.invalid/: ' err && grep -q '^FAIL foo:: not a URL' err && [ "$(wc -l <err)" = 3 ]
}

bar() {
    script -qec "$fetch $base/one $base/two" typescript </dev/null >/dev/null || return 1
    grep -q '\[ *\] 0/2' typescript && grep -q '\[#* *\] 1/2' typescript && grep -q '^.*200 .*/one' typescript
}

# All at once takes about as long as the slowest, not as all together; on a busy machine not always.
at_once() {
    for _ in 1 2 3 4 5; do
        "$fetch" >out || return 1
        tail -n 1 out | awk '/one after the other: [0-9]+ ms, all at once: [0-9]+ ms/ { exit !($10 < $5 / 2) } { exit 1 }' FS='[ :,]+' &&
            return 0
    done
    tail -n 1 out
    return 1
}

if nginx_serve "$tap_dir/site"; then
    base=http://$nginx
    check "pages and statuses" pages
    check "failures are told one by one, and the status is 1" failures
    if command -v script >/dev/null; then
        check "a bar on a terminal" bar
    else
        skip "a bar on a terminal" "script is not installed"
    fi
else
    skip "pages" "nginx is not installed"
fi
check "many requests take about as long as the slowest" at_once
finish
