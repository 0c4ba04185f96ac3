#!/bin/sh
# examples/http_files.c, with TLS and in the clear, as curl, nghttp, h2load and wrk see it.
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../server.sh"
cd "$tap_dir" || exit 1
unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY

# ask STATUS ARGUMENT…: curl's, whose answer has that status; its body is in `got`
ask() {
    wanted=$1
    shift
    status=$(curl -sS --cacert cert.pem -o got -w '%{http_code}' "$@")
    [ "$status" = "$wanted" ] && return 0
    echo "status $status, expected $wanted: $*"
    head -c 500 got
    return 1
}

serve() {
    [ -d files ] || mkdir files
    case $1 in
    https) server_start ./http_files files 127.0.0.1:PORT cert.pem key.pem && base=https://$server ;;
    *) server_start ./http_files files 127.0.0.1:PORT && base=http://$server ;;
    esac
}

put_large() {
    ask 201 $1 -T large "$base/files/large" && cmp large files/large && [ ! -e files/large~ ] &&
        ask 201 $1 -H 'Expect: 100-continue' --expect100-timeout 60 -T large "$base/files/expected" &&
        cmp large files/expected &&
        ask 200 $1 "$base/files/large" && cmp large got
}

chunked() {
    ask 201 -H 'Transfer-Encoding: chunked' -T - "$base/files/chunked" <large && cmp large files/chunked
}

ranges() {
    ask 206 -r 100-199 "$base/files/large" && dd if=large bs=1 skip=100 count=100 2>/dev/null | cmp - got &&
        ask 206 -r -10 "$base/files/large" && tail -c 10 large | cmp - got &&
        ask 206 -r 0-0,10-19 "$base/files/large" && grep -aq 'Content-Range: bytes 10-19/' got &&
        ask 416 -r 99999999- "$base/files/large" &&
        head -c 1000 large >part && curl -sS --cacert cert.pem -C - -o part "$base/files/large" && cmp part large
}

conditions() {
    ask 200 --etag-save tag "$base/files/large" && ask 304 --etag-compare tag "$base/files/large" &&
        ask 304 -z 'Fri, 01 Jan 2100 00:00:00 GMT' "$base/files/large"
}

form() {
    printf 'from a form\n' >note && ask 303 -F file=@note "$base/upload" && cmp note files/note &&
        ask 200 "$base/" && grep -q '<a href=files/note>note</a>' got &&
        ask 400 -F 'file=@note;filename=../note' "$base/upload" && ask 400 -F other=x "$base/upload"
}

hostile() {
    ask 404 --path-as-is "$base/files/..%2fcert.pem" && ask 307 --path-as-is "$base/files/../../etc/passwd" &&
        ln -sf ../cert.pem files/link && ask 404 "$base/files/link" && ask 404 "$base/files/.hidden" &&
        ask 400 "$base/files/%" && ask 405 -X DELETE "$base/files/large" && ask 501 --http1.1 -X FROB "$base/"
}

until_the_client_goes() {
    curl -sSN --cacert cert.pem "$base/size/note" 2>/dev/null | head -n 1 | grep -qx 12
}

http2() {
    [ "$(curl -sS --cacert cert.pem -o got -w '%{http_version}' "$1" "$base/files/note")" = 2 ] && cmp note got
}

with_nghttp() {
    nghttp $1 "$base/files/note" >got 2>&1
    grep -qx 'from a form' got
}

with_h2load() {
    h2load -n 1000 -c 10 -m 10 "$base/files/note" >got 2>&1
    cat got
    grep -q '1000 succeeded, 0 failed, 0 errored, 0 timeout' got && grep -q 'status codes: 1000 2xx' got
}

with_wrk() {
    wrk -t 1 -c 20 -d 1s --timeout 20s "$base/files/large" >got 2>&1
    cat got
    ! grep -qE 'Non-2xx|Socket errors' got && grep -q 'requests in' got
}

# tool NAME WHAT COMMAND…
tool() {
    tool=$1
    shift
    if command -v "$tool" >/dev/null; then check "$@"; else skip "$1" "$tool is not installed"; fi
}

certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1
}

common() {
    check "$1: a large file, with and without Expect" put_large --http1.1
    check "$1: ranges, and going on where it ended" ranges
    check "$1: only if it has changed" conditions
    check "$1: a form with a file" form
    check "$1: what must not be reached" hostile
    check "$1: lines until the client goes" until_the_client_goes
    tool h2load "$1: h2load" with_h2load
    tool nghttp "$1: nghttp" with_nghttp
    tool wrk "$1: wrk fetches a large file" with_wrk
}

if ! command -v curl >/dev/null || ! command -v openssl >/dev/null; then
    skip "peers" "curl or openssl is not installed"
    finish
fi
"$RUNNEL" build -o http_files "$RUNNEL_ROOT/examples/http_files.c" || exit 1
check "a certificate" certificate
head -c 3000000 /dev/urandom >large
serve http || exit 1
common "in the clear"
check "in the clear: a body in chunks" chunked
check "in the clear: HTTP/2 by upgrade" http2 --http2
check "in the clear: HTTP/2 by prior knowledge" http2 --http2-prior-knowledge
tool nghttp "in the clear: nghttp upgrades" with_nghttp -u
check "in the clear: ends on SIGTERM" server_stop
serve https || exit 1
common "TLS"
check "TLS: HTTP/2" http2 --http2
check "TLS: a large file by HTTP/2" put_large --http2
check "TLS: ends on SIGTERM" server_stop
finish
