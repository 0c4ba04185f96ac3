# HTTP/1.1 hello world over 64 and 1,000 kept connections, loaded by wrk with one thread; and the memory of 10,000 kept
# connections that are idle after one request each.
. "$(dirname "$0")/measure"
command -v wrk >/dev/null || fail "wrk is not installed (apt-get install wrk)"

hello() { # PROGRAM CONNECTIONS
    port=$((port + 1))
    start "$1" "127.0.0.1:$port"
    wrk -t1 -c"$2" -d1s "http://127.0.0.1:$port/" >/dev/null
    before=$(cpu)
    wrk -t1 -c"$2" -d"${seconds}s" --latency "http://127.0.0.1:$port/" >"$work/wrk"
    used=$(($(cpu) - before))
    stop
    if grep -Eq 'Non-2xx|Socket errors: connect [1-9]|Socket errors.*(read|write) [1-9]' "$work/wrk"; then
        head -n 20 "$work/wrk" >&2
        fail "$1 answered wrongly"
    fi
    read -r n rate p99 <<END
$(awk 'function us(t) { return t ~ /us$/ ? t + 0 : t ~ /ms$/ ? t * 1000 : t * 1000000 }
    / requests in / { n = $1 } /^Requests\/sec/ { rate = $2 } $1 == "99%" { p99 = us($2) }
    END { print n, rate, p99 }' "$work/wrk")
END
    result "p.http_${2}conn_per_cpu_second" req/s "$(per_cpu_second "$n" "$used")"
    result "p.http_${2}conn_rate" req/s "$rate"
    result "p.http_${2}conn_p99" us "$p99"
}

idle() { # PROGRAM
    port=$((port + 1))
    start "$1" "127.0.0.1:$port"
    empty=$(memory)
    hold "$port" 10000 http
    full=$(settled)
    let_go
    stop
    result q.idle_http_bytes B $(((full - empty) * 1024 / 10000))
}

client_program idle_client
hello "$1" 64
hello "$1" 1000
idle "$1"
