#!/bin/sh
# examples/echo.c and examples/proxy.c between curl, wrk and nginx.
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../nginx.sh"
. "$(dirname "$0")/../server.sh"
cd "$tap_dir" || exit 1
unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY

# bash is the peer: it opens sockets as files.
talk() {
    bash -c 'exec 3<>"/dev/tcp/${1%:*}/${1#*:}"; seq -f "line %g" 5000 >&3 & head -n 5000 <&3' talk "$server" >"back$1" &&
        seq -f "line %g" 5000 | cmp - "back$1"
}

talk_at_once() {
    for i in 1 2 3 4 5 6 7 8; do
        (talk $i) &
        talkers="${talkers:-} $!"
    done
    for i in $talkers; do
        wait "$i" || return 1
    done
}

through_proxy() {
    curl -sS "http://$server/big" | cmp - site/big && [ "$(curl -sS "http://$server/small")" = small ]
}

upload() {
    curl -sS -T site/big "http://$server/put" && cmp site/big site/put
}

wrk_through_proxy() {
    wrk -t 2 -c 64 -d 1s --timeout 20s "http://$server/small" >got 2>&1
    cat got
    ! grep -qE 'Non-2xx|Socket errors' got && awk '/requests in/ { n = $1 } END { exit !(n > 10) }' got
}

unix_sockets() {
    ./proxy "$tap_dir/a.sock" "$nginx" &
    first=$!
    ./proxy "$tap_dir/b.sock" "$tap_dir/a.sock" &
    second=$!
    for _ in $(seq 200); do
        [ -S a.sock ] && [ -S b.sock ] && break
        sleep 0.05
    done
    said=$(curl -sS --unix-socket b.sock http://x/small)
    kill $first $second
    wait $first && wait $second && [ "$said" = small ] && [ ! -e a.sock ]
}

nobody_behind() {
    curl -sS "http://$server/"
    case $? in 52 | 56) ;; *) return 1 ;; esac # an empty answer, or a reset
    server_stop && grep -q "^proxy: can't reach 127.0.0.1:1: Connection refused" server.err
}

if command -v curl >/dev/null; then
    "$RUNNEL" build -o echo "$RUNNEL_ROOT/examples/echo.c" && "$RUNNEL" build -o proxy "$RUNNEL_ROOT/examples/proxy.c" || exit 1
    server_start ./echo 127.0.0.1:PORT || exit 1
    check "eight who talk at once, each hears itself" talk_at_once
    check "the echo server ends on SIGTERM" server_stop
    server_start ./proxy 127.0.0.1:PORT 127.0.0.1:1 || exit 1
    check "a proxy with nobody behind it" nobody_behind
    mkdir site
    printf small >site/small
    head -c 8000000 /dev/urandom >site/big
    if nginx_serve "$tap_dir/site" 'client_max_body_size 20m; dav_methods PUT;' && server_start ./proxy 127.0.0.1:PORT "$nginx"; then
        check "nginx through the proxy" through_proxy
        check "an upload through the proxy" upload
        if command -v wrk >/dev/null; then
            check "wrk through the proxy" wrk_through_proxy
        else
            skip "wrk through the proxy" "wrk is not installed"
        fi
        check "unix sockets" unix_sockets
        check "the proxy ends on SIGTERM" server_stop
    else
        skip "nginx through the proxy" "nginx is not installed"
    fi
else
    skip "peers" "curl is not installed"
fi
finish
