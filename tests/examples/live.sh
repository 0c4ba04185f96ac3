#!/bin/sh
# Nothing is said of what lives: programs that work are asked for leaks every 100 ms (SIGUSR2) while they do, and at their
# end (RUNNEL_LEAKS=1), with their locks watched (RUNNEL_LOCKORDER=1).  No answer may name a goroutine or a lock.
#
#     LIVE=long sh tests/examples/live.sh     all examples and all of bench/core, ten seconds each, servers as long
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../server.sh"
cd "$tap_dir" || exit 1
unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY
export RUNNEL RUNNEL_ROOT
programs='context goroutine_lifetime select_timeout worker_pool'
benches='b_pingpong n_context r_sync'
seconds=2
if [ "${LIVE:-}" = long ]; then
    programs=$(cd "$RUNNEL_ROOT/examples" && ls *.c | sed 's/\.c$//' | grep -vx -e echo -e chat -e proxy -e http_server -e linkcheck)
    benches=$(cd "$RUNNEL_ROOT/bench/core" && ls *.c | sed 's/\.c$//' | grep -vx -e l_memory -e h_ring) # h_ring leaves goroutines behind, as the Go program does
    seconds=10
fi

# PID: asks as long as it is there; not before it has a handler for the signal, which would end it.
asks() {
    while [ -d "/proc/$1" ]; do
        grep -q 'SigCgt:.*[89a-f]..$' "/proc/$1/status" 2>/dev/null && kill -USR2 "$1" 2>/dev/null
        sleep 0.1
    done
}

# ERR: what the program has said.
silent() {
    if grep -E -A40 'can never be woken|runnel: lock order:' "$1"; then return 1; fi
    echo "# $(basename "$1"): $(grep -c 'no goroutine is leaked' "$1") answers, $(grep -c "can't tell" "$1") without one" >&3
}
exec 3>&1

# Runs a program for a while, asking; one that ends by itself ends well.
watch_it() { # STATUS PROGRAM ARGUMENT…
    wanted=$1
    shift
    err=$tap_dir/$(basename "$1").said
    RUNNEL_LEAKS=1 RUNNEL_LOCKORDER=1 "$@" >/dev/null 2>"$err" </dev/null &
    pid=$!
    asks $pid &
    (sleep $seconds && kill -KILL $pid) >/dev/null 2>&1 &
    killer=$!
    wait $pid
    status=$?
    kill $killer 2>/dev/null
    silent "$err" && { [ $status = 137 ] || [ $status = "$wanted" ] || { cat "$err" && echo "status $status" && false; }; }
}

example() {
    "$RUNNEL" build -o "$1" "$RUNNEL_ROOT/examples/$1.c" || return 1
    want=$RUNNEL_ROOT/examples/expected/$1.txt
    status=$(sed -n '/^# /!q; s/^# status //p' "$want")
    # shellcheck disable=SC2046 # the arguments are words
    cd "$RUNNEL_ROOT" && watch_it "${status:-0}" "$tap_dir/$1" $(sed -n '/^# /!q; s/^# arguments //p' "$want")
}

demo() { # PROGRAM ARGUMENT…
    "$RUNNEL" build -o "$1" "$RUNNEL_ROOT/examples/$1.c" && watch_it 0 "./$@"
}

bench() {
    "$RUNNEL" build -o "$1" "$RUNNEL_ROOT/bench/core/$1.c" && watch_it 0 "./$1"
}

load() {
    command -v wrk >/dev/null && wrk -t 2 -c 64 -d ${seconds}s --timeout 20s "http://$server/?id=3"
    command -v h2load >/dev/null && h2load -n 1000 -c 20 -m 10 "http://$server/hello/h2load"
    for _ in 1 2 3 4 5; do curl -sS "http://$server/?id=7" || return 1; done
}

server() {
    "$RUNNEL" build -o http_server "$RUNNEL_ROOT/examples/http_server.c" || return 1
    server_start env RUNNEL_LEAKS=1 RUNNEL_LOCKORDER=1 ./http_server 127.0.0.1:PORT || return 1
    asks "$(cat server.pid)" &
    load || return 1
    server_stop || { cat server.err && return 1; }
    silent server.err
}

for p in $programs; do check "example $p" example "$p"; done
check "echo" demo echo
check "proxy" demo proxy
check "chat" demo chat demo 50
for b in $benches; do check "bench/core $b" bench "$b"; done
if command -v curl >/dev/null; then check "HTTP server under load" server; else skip "HTTP server under load" "no curl here"; fi
finish
