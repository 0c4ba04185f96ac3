#!/bin/sh
# examples/http_server.c as curl, wrk, nghttp and h2load see it.
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../server.sh"
cd "$tap_dir" || exit 1
unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY

fan_out() {
    curl -sS "http://$server/?id=7" | LC_ALL=C sort >got
    printf 'Result: %s of 7\n' analytics product user | diff - got
}

paths() {
    [ "$(curl -sS "http://$server/hello/caf%C3%A9")" = 'Hello, café!' ] &&
        curl -sSI "http://$server/hello/you" | grep -q '^HTTP/1.1 200' &&
        curl -sSv "http://$server/hello/a" "http://$server/hello/b" 2>&1 | grep -qi 're-using existing connection'
}

patience() {
    [ "$(curl -sS -o got -w '%{http_code}' "http://$server/?ms=60000")" = 504 ] && grep -q 'deadline exceeded\|time' got
}

http2() {
    [ "$(curl -sS --http2-prior-knowledge -w '%{http_version}' "http://$server/hello/h2")" = "$(printf 'Hello, h2!\n2')" ]
}

with_nghttp() {
    nghttp "http://$server/hello/nghttp" >got 2>&1
    cat got
    grep -qx 'Hello, nghttp!' got
}

with_h2load() {
    h2load -n 2000 -c 20 -m 10 "http://$server/hello/h2load" >got 2>&1
    cat got
    grep -q '2000 succeeded, 0 failed, 0 errored, 0 timeout' got && grep -q 'status codes: 2000 2xx' got
}

with_wrk() {
    wrk -t 2 -c 64 -d 1s --timeout 20s "http://$server/?id=3" >got 2>&1
    cat got
    ! grep -qE 'Non-2xx|Socket errors' got && awk '/requests in/ { n = $1 } END { exit !(n > 10) }' got
}

# tool NAME WHAT COMMAND
tool() {
    if command -v "$1" >/dev/null; then check "$2" "$3"; else skip "$2" "$1 is not installed"; fi
}

if command -v curl >/dev/null; then
    "$RUNNEL" build -o http_server "$RUNNEL_ROOT/examples/http_server.c" && server_start ./http_server 127.0.0.1:PORT || exit 1
    check "three results, one of each" fan_out
    check "paths, HEAD and a connection that is kept" paths
    check "no longer than its patience" patience
    check "HTTP/2" http2
    tool nghttp "nghttp" with_nghttp
    tool h2load "h2load: 2000 requests on 20 connections, 10 at a time on each" with_h2load
    tool wrk "wrk: 64 connections, three look-ups for each request" with_wrk
    check "ends on SIGTERM" server_stop
else
    skip "peers" "curl is not installed"
fi
finish
