#!/bin/sh
# runnel test -explore, as a user runs it: bugs are found by every strategy, their repairs never blamed, the
# clock is virtual, the same seed gives the same course, and a token repeats its schedule.
. "$(dirname "$0")/../tap.sh"
bugs=$RUNNEL_ROOT/tests/explore/bugs
work=$tap_dir/work
mkdir "$work"
for file in "$bugs"/*.c; do
    cp "$file" "$work/$(basename "$file" .c)_test.c"
done
cd "$work" || exit 1

# The library and the tests are built here, however long that takes: the limit below is for the schedules.
"$RUNNEL" test -explore 1 >"$tap_dir/out" 2>&1

explore() {
    timeout 120 "$RUNNEL" test -explore "$@"
}

# All results of $tap_dir/out are "$1"; and there is one at least for each name that $2 matches.
all_are() {
    ! grep -E '^(not )?ok ' "$tap_dir/out" | grep -vE "^$1 " &&
        [ "$(grep -cE "^$1 " "$tap_dir/out")" = "$(cat "$work"/*_test.c | grep -cE "^TEST\($2")" ]
}

finds_all() {
    explore 1000 -strategy "$1" -run buggy_ >"$tap_dir/out"
    all_are "not ok" buggy_
}

blames_none() {
    explore "$2" -strategy "$1" -run fixed_ >"$tap_dir/out"
    all_are ok fixed_
}

for strategy in random pct dfs mixed; do
    check "$strategy finds every bug within 1000 schedules" finds_all $strategy
done
check "random blames no repaired program" blames_none random 60
check "pct blames no repaired program" blames_none pct 60
check "dfs blames no repaired program" blames_none dfs 80

virtual() {
    explore 20 >"$tap_dir/out"
    ! grep '^not ok.*time_test' "$tap_dir/out" && [ "$(grep -c '^ok.*time_test' "$tap_dir/out")" -ge 6 ]
}
check "the clock is virtual" virtual

# What a search prints, but for how long it took.
course() {
    explore "$@" | sed 's/time=[0-9.]*ms//' | grep -v '^ *\(goroutine\|/\|[a-z_]*$\)'
}

same_seed() {
    course 40 -seed 42 >"$tap_dir/one"
    course 40 -seed 42 >"$tap_dir/two"
    cmp "$tap_dir/one" "$tap_dir/two"
}
check "the same seed gives the same course, wherever the kernel puts the program" same_seed

another_seed() {
    course 40 -seed 43 >"$tap_dir/two"
    ! cmp -s "$tap_dir/one" "$tap_dir/two"
}
check "another seed gives another" another_seed

# Every token of the search above repeats its failure, and says the same about it.
replays() {
    n=0
    for token in $(sed -n 's/^  replay: -replay //p' "$tap_dir/one"); do
        name=${token%%:*}
        for i in 1 2; do
            "$RUNNEL" test -replay "$token" | sed 's/time=[0-9.]*ms//' >"$tap_dir/again$i"
        done
        cmp "$tap_dir/again1" "$tap_dir/again2" || return 1
        grep -q "^not ok 1 - [a-z]*_test: $name " "$tap_dir/again1" || return 1
        n=$((n + 1))
    done
    [ $n -ge 10 ]
}
check "a token repeats its failure, word for word" replays

# Locks have numbers instead of addresses, so that a token repeats this, too.
holders() {
    explore 300 -run buggy_lock_order >"$tap_dir/out"
    cat "$tap_dir/out"
    grep -q 'waits for lock 1, held by goroutine 3, taken in lock_two (.*), started by buggy_lock_order_body' "$tap_dir/out" &&
        grep -q 'waits for lock 2, held by goroutine 2, taken in lock_two' "$tap_dir/out" || return 1
    explore 300 -run buggy_kept_lock >"$tap_dir/out"
    cat "$tap_dir/out"
    grep -q 'waits for lock 1, held by goroutine 2, taken in keep (.*), started by leave_with_lock' "$tap_dir/out"
}
check "a deadlock and a leak say who holds the lock" holders

# None of the bugs needs more than two forced choices.
shortest() {
    ! grep -E '^  replay: .*:[^:]*,[^:]*,' "$tap_dir/one"
}
check "a failure is shrunk to one or two forced choices" shortest

# Two goroutines of two steps each: 6 orders, each of which the test writes down.
exhaustive() {
    mkdir -p "$tap_dir/orders" && cp "$bugs/../orders.c" "$tap_dir/orders/orders_test.c" && cd "$tap_dir/orders" || return 1
    explore 10000 -strategy dfs >"$tap_dir/out"
    cat "$tap_dir/out"
    grep -q 'these are all there are$' "$tap_dir/out" && [ "$(sort -u orders | wc -l)" = 6 ]
}
check "dfs tries every order of a small test" exhaustive

threads() {
    mkdir -p "$tap_dir/threads" && cp "$bugs/../thread.c" "$tap_dir/threads/thread_test.c" && cd "$tap_dir/threads" || return 1
    for seed in 1 2 3; do
        explore 50 -seed $seed || return 1
    done
}
check "a thread of the program's own is waited for" threads

# What is asked for happens to simulated I/O; what is not, does not.
faults() {
    for fault in reset delay partition; do
        explore 300 -faults $fault -run fixed_echo_in_a_second >"$tap_dir/out" && return 1
        cat "$tap_dir/out"
        grep -q "^      1. what goroutine .* sends $1" "$tap_dir/out" || return 1
        shift
    done
    explore 100 -run fixed_echo_in_a_second
}
check "connections are reset, delayed and cut off" faults "is lost" "travels for two" "waits"

bad_options() {
    for options in "-explore" "-explore many" "-explore 0" "-strategy dfs" "-explore 5 -strategy guess" "-explore 5 -faults fire"; do
        # shellcheck disable=SC2086 # a list of words
        "$RUNNEL" test $options
        [ $? = 2 ] || return 1
    done
}
check "options that make no sense are refused" bad_options
finish
