# How late a timer and a socket wake their goroutine on one processor that has 10,000 runnable goroutines: from the moment
# when it was due (late), what of that is more than one round of all of them (over), and how long a round takes.
. "$(dirname "$0")/measure"
client_program latency_ticker
RUNNEL_PROCS=1 GOMAXPROCS=1 "$1" "$tools/latency_ticker" >"$work/said"
awk '$1 == "LATENCY" {
    p99 = $5; sub(/p99_us=/, "", p99)
    printf "RESULT s.10k_runnable_%s_p99 unit=us first=%s min=%s med=%s max=%s n=1\n", $2, p99, p99, p99, p99
    n++
}
END { exit n != 5 }' "$work/said"
