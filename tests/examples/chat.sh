#!/bin/sh
# examples/chat.c: thousands of clients, bash as one over TCP, and its page in a browser without a screen.
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../server.sh"
cd "$tap_dir" || exit 1
unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY

# Half of them over WebSocket; as many as there are descriptors for.
thousands() {
    clients=$((($(ulimit -H -n | sed s/unlimited/100000/) - 200) / 2))
    [ "$clients" -lt 3000 ] || clients=3000
    timeout 120 ./chat demo "$clients" >got && cat got && grep -qx "$clients clients heard 20 lines each: no error" got
}

# Someone over TCP: hears into `heard`, says what comes through the fifo `mouth`.
enter() {
    mkfifo mouth
    # shellcheck disable=SC2016 # bash expands it
    bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1"; cat <&3 >heard & echo $! >ear; cat mouth >&3; wait' enter "$lines" &
    exec 4>mouth
    trap 'kill "$(cat ear)" 2>/dev/null; server_trap' EXIT
}

# heard LINE: waits until it was.
heard() {
    for _ in $(seq 1200); do
        grep -qxF -e "$1" heard 2>/dev/null && return 0
        sleep 0.05
    done
    cat heard
    return 1
}

oneself() {
    echo 'hello, room' >&4
    heard 'hello, room'
}

# A line that is no UTF-8: a browser that were sent it would hang up.
nonsense() {
    printf 'caf\303\251 \377\303 \355\240\200\n' >&4
    heard 'café ?? ???'
}

the_page() {
    curl -sS -D head "http://$server/" >got && grep -qi '^content-type: text/html; charset=utf-8' head && grep -q 'new WebSocket' got
}

options="--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --user-data-dir=$tap_dir/browser"

# shellcheck disable=SC2086 # a list of words
starts() { timeout 60 "$browser" $options --dump-dom 'data:text/html,<p>it works' 2>/dev/null </dev/null | grep -q 'it works'; }

# The browser is a script with many children: they are a group of their own, which is ended as a whole.
end_browser() {
    [ -n "${browser_pid:-}" ] || return 0
    kill -- "-$browser_pid" 2>/dev/null
    sleep 0.2
    kill -9 -- "-$browser_pid" 2>/dev/null
}

# The page says what is behind the # when it is connected, and tells how many lines it shows when it is asked.
# One of the lines would be an image and a script if the page took it for HTML.
browse() {
    # shellcheck disable=SC2086 # a list of words
    setsid "$browser" $options --remote-debugging-port=0 "http://$server/#I%20am%20a%20%22browser%22%20%C3%A4" >browser.log 2>&1 &
    browser_pid=$!
    trap end_browser EXIT TERM INT
    if heard 'I am a "browser" ä'; then
        echo '<li><img src=x onerror="ws.send(1)"><li>' >&4
        echo 'what do you see?' >&4
        heard 'I see 3 lines' && ! grep -qx 1 heard && return 0
    fi
    tail -n 20 browser.log
    return 1
}

if command -v curl >/dev/null; then
    "$RUNNEL" build -o chat "$RUNNEL_ROOT/examples/chat.c" || exit 1
    check "thousands of clients" thousands
    lines=$((20000 + $$ % 10000))
    server_start ./chat 127.0.0.1:PORT "127.0.0.1:$lines" || exit 1
    enter
    check "one hears oneself" oneself
    check "one hears nonsense" nonsense
    check "the page" the_page
    browser=$(command -v chromium-headless-shell || command -v chromium || command -v google-chrome) || browser=
    if [ -n "$browser" ] && ! starts; then
        skip "the page in a browser" "$browser does not start here"
    elif [ -n "$browser" ]; then
        check "the page in a browser" browse
    else
        skip "the page in a browser" "chromium is not installed"
    fi
    exec 4>&-
    check "ends on SIGTERM" server_stop
else
    skip "peers" "curl is not installed"
fi
finish
