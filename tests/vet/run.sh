#!/bin/sh
# runnel vet: what each sample of this directory says that is to be found in it (`// want RULE` on the
# line, as often as the rule is found there), and nothing else; the messages' form; silence on the
# examples.
. "${RUNNEL_ROOT:-$(cd "$(dirname "$0")/../.." && pwd -P)}/tests/tap.sh"
here=$RUNNEL_ROOT/tests/vet

# "line rule" of what is wanted.
wanted() {
    awk '{ s = $0; while (match(s, /want [a-z]+/)) { print NR, substr(s, RSTART + 5, RLENGTH - 5); s = substr(s, RSTART + RLENGTH) } }' \
        "$1" | sort -u
}

found() {
    sed -n 's/^[^:]*:\([0-9]*\):[0-9]*: warning: .* \[vet: \([a-z]*\)\]$/\1 \2/p' | sort -u
}

sample() {
    status=0
    "$RUNNEL" vet "$1" >"$tap_dir/out" 2>"$tap_dir/err" || status=$?
    wanted "$1" >"$tap_dir/wanted"
    found <"$tap_dir/out" >"$tap_dir/found"
    if ! diff -u "$tap_dir/wanted" "$tap_dir/found"; then
        cat "$tap_dir/out" "$tap_dir/err"
        return 1
    fi
    [ -s "$tap_dir/wanted" ] && expected=1 || expected=0
    [ $status = $expected ] && [ ! -s "$tap_dir/err" ]
}

for file in "$here"/*_bad.c "$here"/*_good.c; do
    check "$(basename "$file" .c)" sample "$file"
done

# The examples are silent, but for those that show a mistake.
cd "$RUNNEL_ROOT" || exit 1
silent() {
    "$RUNNEL" vet "$@" >"$tap_dir/out" 2>&1 || { cat "$tap_dir/out"; return 1; }
    [ ! -s "$tap_dir/out" ]
}
check "the examples are silent" silent $(find examples -name '*.c' ! -name '*_bad.c')

pitfalls() {
    for name in copied_lock double_close forgotten_close late_add loop_variable negative_waitgroup send_on_closed sleep; do
        "$RUNNEL" vet "examples/pitfalls/${name}_bad.c" >"$tap_dir/out" && { echo "$name: not found"; return 1; }
        grep -q "${name}_bad.c:[0-9]*:[0-9]*: warning: " "$tap_dir/out" || return 1
    done
}
check "pitfalls that a source shows are found" pitfalls

# Options, other programs, several files.
mkdir -p "$tap_dir/p/inc"
cat >"$tap_dir/p/inc/job.h" <<'C'
#include <runnel.h>
struct job { chan(int) out; };
void send_all(struct job *j);
C
cat >"$tap_dir/p/send.c" <<'C'
#include "job.h"
void send_all(struct job *j) { for (int i = 0; i < COUNT; i++) chan_send(j->out, i); }
C
cat >"$tap_dir/p/main.c" <<'C'
#include "job.h"
static rn_mutex mu;
int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct job j = {chan_make(int, 0)};
    mutex_lock(&mu);
    send_all(&j);
    mutex_unlock(&mu);
    return 0;
}
C
cd "$tap_dir/p" || exit 1
flags() {
    "$RUNNEL" vet -Iinc -D COUNT=3 main.c send.c >out 2>err
    [ $? = 1 ] && grep -q '^main.c:8:5: warning: send_all may wait (chan_send at send.c:2)' out
}
check "files of one program are looked at together; -I and -D" flags
behind() {
    "$RUNNEL" vet main.c send.c -- -O2 -Wall -I inc -DCOUNT=3 -c -o main.o >out 2>err
    [ $? = 1 ] && [ ! -s err ] && grep -q lockheld out
}
check "the compiler's flags behind --" behind
database() {
    cat >compile_commands.json <<C
[{"directory": "$PWD", "file": "main.c", "command": "cc -Iinc -DCOUNT=3 -c main.c -o main.o"},
 {"directory": "$PWD", "file": "send.c", "arguments": ["cc", "-I", "inc", "-D", "COUNT=3", "-c", "send.c"]}]
C
    "$RUNNEL" vet main.c send.c >out 2>err
    [ $? = 1 ] && [ ! -s err ] && grep -q lockheld out && "$RUNNEL" vet -p . main.c send.c | grep -q lockheld || return 1
    "$RUNNEL" vet -p . | grep -q 'main.c:8:5: warning: .*lockheld'
}
check "flags from compile_commands.json" database
rm -f compile_commands.json
unparsed() {
    "$RUNNEL" vet main.c >out 2>err
    [ $? = 1 ] && grep -q "^main.c:1:10: error: 'job.h' file not found" err && grep -q 'pass its -I and -D' err
}
check "what does not parse is said" unparsed
json() {
    "$RUNNEL" vet -json "$here/lock_bad.c" >out
    [ $? = 1 ] && python3 -c 'import json, sys
l = json.load(open("out")); assert len(l) == 6 and l[0]["rule"] == "doublelock" and l[0]["line"] == 14, l'
}
if command -v python3 >/dev/null; then check "-json" json; else skip "-json" "no python3 here"; fi
usage() {
    for bad in "" "-nonsense x.c" "inc/job.h" "-stack x main.c"; do
        "$RUNNEL" vet $bad >out 2>err
        [ $? = 2 ] && grep -q '^runnel: vet: ' err || { echo "vet $bad"; cat err; return 1; }
    done
}
check "a command line that makes no sense" usage
missing() {
    for bad in "missing.c" "main.c missing.c" "-p missing"; do
        "$RUNNEL" vet $bad >out 2>err
        [ $? = 1 ] && grep -q '^runnel: vet: .*missing' err || { echo "vet $bad"; cat err; return 1; }
    done
}
check "a file that is not there" missing
stack() {
    "$RUNNEL" vet -stack 1M "$here/bigframe_bad.c" >out
    [ "$(grep -c 'variables of' out)" = 1 ] && RUNNEL_STACK=1M "$RUNNEL" vet "$here/bigframe_bad.c" | cmp - out
}
check "-stack and RUNNEL_STACK" stack
finish
