# How late a timer and a socket wake their goroutines while one processor has 10,000 runnable ones, which only yield (0) or
# compute for 500 ns first: see latency.c.  On a machine with other work the tails are that work's.
. "$(dirname "$0")/measure"
client_program latency_ticker
for work_ns in 0 500; do
    RUNNEL_PROCS=1 GOMAXPROCS=1 "$1" "$tools/latency_ticker" 10000 $work_ns >"$work/said"
    while read -r kind what _ p50 p99 _; do
        [ "$kind" = LATENCY ] || continue
        case $what in
        *.late)
            result "m.$what.work_$work_ns.p50" us "${p50#p50_us=}"
            result "m.$what.work_$work_ns.p99" us "${p99#p99_us=}"
            ;;
        esac
    done <"$work/said"
done
