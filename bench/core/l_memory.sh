# Runs PROGRAM, of either side, once for each point of the curve: a measurement of memory needs a fresh process.
most=${BENCH_MOST:-1000000}
# What is too much for the machine is to be this process's end, and nobody else's.
echo 1000 2>/dev/null >/proc/self/oom_score_adj
n=1000
while [ "$n" -le "$most" ] && [ "$n" -le 1000000 ]; do
    "$1" blocked "$n" || exit 1
    n=$((n * 10))
done
case $1 in
*/runnel/*) each=1 ;; # KiB
*) each=3 ;;
esac
n=10000 # below that runnel puts nobody away
while [ "$n" -le "$most" ]; do
    free=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
    if [ "$((n * each))" -gt "$free" ]; then
        echo "l_memory: $n goroutines of $each KiB are more than the memory that is free: $1 is left out" >&2
        break
    fi
    "$1" parked "$n" || exit 1
    n=$((n * 10))
done
