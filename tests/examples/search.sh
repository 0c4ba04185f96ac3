#!/bin/sh
# examples/search.c says what `grep -rn` says, to the letter: the lines, the complaints, the status.
# The order differs (search sorts by path and line), so both outputs are sorted.
. "$(dirname "$0")/../tap.sh"
export LC_ALL=C
search=$tap_dir/search
"$RUNNEL" build -o "$search" "$RUNNEL_ROOT/examples/search.c" || exit 1
tree=$tap_dir/tree
mkdir -p "$tree/sub/deep" "$tree/a" "$tree/a-b" "$tap_dir/apart"
cd "$tap_dir" || exit 1
printf 'foo one\nbar\nfoo two' >"$tree/last-line-open"
printf 'a\0foo\nfoo\n' >"$tree/binary"
{ yes 'foo line' | head -n 20000; printf '\0foo\n'; } >"$tree/binary-late"
{ yes 'some filler text to get past the first chunk' | head -n 5000; echo 'a foo near the end'; } >"$tree/long"
# Apart: behind it grep reads in larger pieces, and how much it prints of binary-late depends on which of the two
# the file system lists first.
printf 'x%0200000d foo\n' 0 >"$tap_dir/apart/long-line"
: >"$tree/sub/empty"
printf '\n\nfoo\n' >"$tree/sub/deep/x"
printf 'foo\n' >"$tree/a/b"
printf 'foo\n' >"$tree/a-b/c"
ln -s nowhere "$tree/broken"
ln -s sub "$tree/link"
mkfifo "$tree/fifo"

# same ARGUMENT…: output, complaints and status are grep's.
same() {
    grep -rn "$@" 2>grep.err | sort >grep.out
    grep -rn "$@" >/dev/null 2>&1
    grep_status=$?
    "$search" "$@" >search.raw 2>search.err
    status=$?
    sort search.raw >search.out
    sed -i 's/^grep: //' grep.err
    sed -i 's/^search: //' search.err
    sort -o grep.err grep.err
    sort -o search.err search.err
    cmp grep.out search.out && diff grep.err search.err &&
        { [ "$status" = "$grep_status" ] || { echo "status $status, grep: $grep_status"; false; }; }
}

for pattern in foo 'fo*' 'foo$' '^foo' 'o\{2\}' 'fo\?o' '\(fo\)o' 'f[aeiou]o' 'foo\|bar' '[[:alpha:]]* one' '.' '' '^$' \
    'zzz' '*' '\.' 'l[i]ne' 'x*' '[]x]oo' 'o.*t' 'o*f' '.*foo' '[a-z]*o$' 'a*b*' 'x*^f' '[f]*o*' '.*' '\bfoo\b' '\(o\)\1' 'foo
bar'; do
    check "as grep: '$(printf %s "$pattern" | tr '\n' ' ')'" same -- "$pattern" tree
done
check "as grep: one file" same foo tree/last-line-open
check "as grep: a long line" same 'x0* f' apart
check "as grep: a long line, by its end" same 'foo$' apart
check "as grep: several, slashes" same foo tree// tree/a/b tree/link
check "as grep: a missing directory" same foo tree/a nowhere
check "as grep: only a missing one" same foo nowhere
for pattern in '[' '\(' 'a\{1' '[b-a]' 'a\'; do
    check "as grep: bad pattern '$pattern'" same "$pattern" tree
done

here() {
    cd tree && grep -rn foo 2>/dev/null | sort >../grep.out
    "$search" foo 2>/dev/null | sort | cmp - ../grep.out
}
check "as grep: without a directory" here

unreadable() {
    chmod 000 tree/a tree/sub/deep/x
    same foo tree
    result=$?
    chmod 755 tree/a tree/sub/deep/x
    return "$result"
}
if [ "$(id -u)" = 0 ]; then
    skip "as grep: what can't be read" "root reads everything"
else
    check "as grep: what can't be read" unreadable
fi

in_order() {
    "$search" foo tree 2>/dev/null | cut -d: -f1 | uniq >paths
    sort -u paths | cmp - paths
}
check "the order is that of the paths" in_order

usage() {
    "$search" 2>said
    [ $? = 2 ] && grep -q '^Usage: search ' said
}
check "no pattern" usage

full() {
    "$search" foo tree >/dev/full 2>said
    [ $? = 2 ] && grep -q '^search: write error: No space left on device' said
}
check "a full disk" full

if [ -d /usr/include/linux ]; then
    check "as grep: /usr/include/linux" same 'struct [a-z]*_ops' /usr/include/linux
fi
finish
