#!/bin/sh
# Public headers: each compiles alone, as C and as C++17, and without short names defines only names
# that begin with rn_, RN_ or RUNNEL_.
. "$(dirname "$0")/../tap.sh"
cd "$RUNNEL_ROOT/include" || exit 1
flags="-Wall -Wextra -Werror -fsyntax-only -I."

compiles() {
    for header in runnel.h runnel/*.h; do
        printf '#include <%s>\n#include <%s>\n' "$header" "$header" >"$tap_dir/one.$suffix"
        [ "$header" = runnel/test.h ] && echo '#define RN_TEST_NO_MAIN' | cat - "$tap_dir/one.$suffix" >"$tap_dir/two.$suffix" &&
            mv "$tap_dir/two.$suffix" "$tap_dir/one.$suffix"
        # shellcheck disable=SC2086 # a list of words
        "$@" $flags "$tap_dir/one.$suffix" || return 1
    done
}

# The macros that our own files define.
prefixed() {
    printf '#define RN_NO_SHORT_NAMES\n#include <runnel.h>\n' >"$tap_dir/names.c"
    cc -E -dD -I. "$tap_dir/names.c" | awk '
        /^# [0-9]+ "/ { ours = $3 ~ /runnel/ && $3 !~ /names\.c/ }
        /^#define / && ours && $2 !~ /^(rn_|RN_|RUNNEL_)/ { print $2; bad = 1 }
        END { exit bad }'
}

for compiler in gcc clang; do
    suffix=c
    if command -v $compiler >/dev/null; then
        check "each header compiles alone with $compiler" compiles $compiler -std=gnu11
        check "each header compiles alone with $compiler without short names" compiles $compiler -std=gnu11 -DRN_NO_SHORT_NAMES
    else
        skip "each header compiles alone with $compiler" "$compiler is not installed"
    fi
done
for compiler in g++ clang++; do
    suffix=cc
    if command -v $compiler >/dev/null; then
        check "each header compiles alone with $compiler" compiles $compiler -std=c++17
    else
        skip "each header compiles alone with $compiler" "$compiler is not installed"
    fi
done
check "without short names all macros are prefixed" prefixed
finish
