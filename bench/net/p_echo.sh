# TCP, 1 KiB messages back and forth over 64 connections, loaded by echo_client.c: at every number of processors.
#
# And whether more processors do more, which a rate can't show where the load has to share them: the same 64 connections
# from twice as many clients as processors, so that the server always has messages that wait; messages for each
# processor second of the server with one processor and with all of them, by turns, twice.  gain: how many times as
# much as one all of them would get done if they were the server's alone: their number, times what a second of theirs
# is worth, through what a second of one is.  2 on two processors: the second one costs the first nothing.  A server counts
# for as many as it has threads that work.
. "$(dirname "$0")/measure"

echo_64() { # PROGRAM
    port=$((port + 1))
    start "$1" "127.0.0.1:$port"
    before=$(cpu)
    "$tools/echo_client" "$port" 64 1024 "$seconds" >"$work/load"
    used=$(($(cpu) - before))
    stop
    read -r rate p99 all <<END # all: of the second of warming up too, which is part of the processor time
$(tr ' ' '\n' <"$work/load" | awk -F= '{ v[$1] = $2 } END { print v["msgs_per_s"], v["p99_us"], v["all"] }')
END
    result "p.echo_64conn_per_cpu_second.P$procs" msg/s "$(per_cpu_second "$all" "$used")"
    result "p.echo_64conn_rate.P$procs" msg/s "$rate"
    result "p.echo_64conn_p99.P$procs" us "$p99"
}

# How many of the server's threads have had a fair share of its processor time.
working() {
    for pid in $(pids); do cat "/proc/$pid"/task/*/stat 2>/dev/null; done |
        awk -v most="$most" '{ sub(/.*\) /, ""); sum += t[NR] = $12 + $13 }
            END { for (i in t) n += t[i] * 4 * most > sum; print n < most ? n : most }'
}

busy() { # PROGRAM PROCESSORS: adds a line to $work/busy, messages for each processor second
    port=$((port + 1))
    procs=$2
    clients=$((2 * most < 64 ? 2 * most : 64)) loads=''
    start "$1" "127.0.0.1:$port"
    before=$(cpu)
    for i in $(seq $clients); do
        "$tools/echo_client" "$port" $((64 / clients)) 1024 "$seconds" >"$work/load.$i" &
        loads="$loads $!"
    done
    for load in $loads; do
        wait "$load" || fail "a load failed"
    done
    used=$(($(cpu) - before))
    threads=$(working)
    stop
    all=$(cat "$work"/load.* | tr ' ' '\n' | awk -F= '$1 == "all" { n += $2 } END { print n }')
    rm "$work"/load.*
    per_cpu_second "$all" "$used" >>"$work/busy"
    echo >>"$work/busy"
}

gain() { # PROGRAM
    for _ in 1 2; do
        busy "$1" 1
        busy "$1" "$most"
    done
    read -r one all_of_them times <<END
$(awk -v threads="$threads" \
        '{ n[NR % 2] += $1 } END { printf "%.0f %.0f %.2f", n[1] / 2, n[0] / 2, threads * n[0] / n[1] }' "$work/busy")
END
    result p.echo_busy_per_cpu_second.P1 msg/s "$one"
    result "p.echo_busy_per_cpu_second.P$most" msg/s "$all_of_them"
    result "p.echo_gain.P$most" count "$times"
}

client_program echo_client
most=$procs
for procs in ${BENCH_PROCS:-$procs}; do
    echo_64 "$1"
done
[ "$most" = 1 ] || gain "$1"
