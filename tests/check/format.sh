#!/bin/sh
# The layout of .clang-format.
. "$(dirname "$0")/../tap.sh"
cd "$RUNNEL_ROOT" || exit 1
files=$(find include src tools tests examples bench -name '*.[ch]' 2>/dev/null | sort)
if command -v clang-format >/dev/null; then
    # shellcheck disable=SC2086 # a list of words
    check "the sources have the layout of .clang-format" clang-format --dry-run -Werror $files
else
    skip "the sources have the layout of .clang-format" "clang-format is not installed"
fi
finish
