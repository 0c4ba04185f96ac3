# Runs PROGRAM, of either side, once for each point of the curve: a measurement of memory needs a fresh process.
most=${BENCH_MOST:-1000000}
n=1000
while [ "$n" -le "$most" ]; do
    "$1" blocked "$n" || exit 1
    n=$((n * 10))
done
