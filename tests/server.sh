# Servers for tests that are scripts (after tap.sh): `server_start PROGRAM ARGUMENT…` starts one in the
# background, with a free port for PORT in its arguments, waits until it can be reached at $server
# ("127.0.0.1:N"), and ends it with the script.  What it says is in $tap_dir/server.out and server.err.
# server_stop sends SIGTERM and returns its exit status.  Needs curl.
server_tries=0
server_trap() {
    [ ! -s "$tap_dir/server.pid" ] || kill -9 "$(cat "$tap_dir/server.pid")" 2>/dev/null
    eval "${nginx_stop:-:}"
    rm -rf "$tap_dir"
}

# Can something be reached there?  (7: could not connect.)
server_answers() {
    curl -s --noproxy '*' --max-time 1 "telnet://$1" </dev/null >/dev/null 2>&1
    [ $? != 7 ]
}

server_try() {
    server=127.0.0.1:$1
    shift
    server_answers "$server" && return 1 # somebody else's
    rm -f "$tap_dir/server.status"
    {
        "$@" >"$tap_dir/server.out" 2>"$tap_dir/server.err" </dev/null &
        echo $! >"$tap_dir/server.pid"
        wait $!
        echo $? >"$tap_dir/server.status"
        : >"$tap_dir/server.pid"
    } 2>/dev/null &
    for _ in $(seq 200); do
        [ ! -e "$tap_dir/server.status" ] || return 1
        server_answers "$server" && return 0
        sleep 0.05
    done
    return 1
}

server_start() {
    trap server_trap EXIT
    [ ! -s "$tap_dir/server.pid" ] || server_stop
    for server_attempt in 1 2 3 4 5 6 7 8; do
        server_tries=$((server_tries + 1))
        server_port=$((10000 + ($$ * 13 + server_tries * 997) % 10000))
        server_first=yes
        for server_argument; do
            [ -z "$server_first" ] || set --
            server_first=
            set -- "$@" "$(printf %s "$server_argument" | sed "s/PORT/$server_port/")"
        done
        server_try "$server_port" "$@" && return 0
    done
    cat "$tap_dir/server.err"
    return 1
}

server_stop() {
    kill "$(cat "$tap_dir/server.pid")" || return 1
    for _ in $(seq 400); do
        [ ! -s "$tap_dir/server.status" ] || return "$(cat "$tap_dir/server.status")"
        sleep 0.05
    done
    return 1
}
