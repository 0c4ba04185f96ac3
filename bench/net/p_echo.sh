# TCP, 1 KiB messages back and forth over 64 connections, loaded by echo_client.c: at every number of processors.
. "$(dirname "$0")/measure"

echo_64() { # PROGRAM
    port=$((port + 1))
    start "$1" "127.0.0.1:$port"
    before=$(cpu)
    "$tools/echo_client" "$port" 64 1024 "$seconds" >"$work/load"
    used=$(($(cpu) - before))
    stop
    read -r rate p99 <<END
$(tr ' ' '\n' <"$work/load" | awk -F= '{ v[$1] = $2 } END { print v["msgs_per_s"], v["p99_us"] }')
END
    # The second of warming up counts as well: it is part of the processor time.
    all=$(awk -v r="$rate" -v s="$seconds" 'BEGIN { print r * (s + 1) }')
    result "p.echo_64conn_per_cpu_second.P$procs" msg/s "$(per_cpu_second "$all" "$used")"
    result "p.echo_64conn_rate.P$procs" msg/s "$rate"
    result "p.echo_64conn_p99.P$procs" us "$p99"
}

client_program echo_client
for procs in ${BENCH_PROCS:-$procs}; do
    echo_64 "$1"
done
