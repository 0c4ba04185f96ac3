#!/bin/sh
# A C++ program (go.cc beside this script) builds and runs with both compilers.
. "$(dirname "$0")/../tap.sh"
cd "$RUNNEL_ROOT" || exit 1

library=build/release/librunnel.a
cmake --build build/release --target runnel_static >/dev/null || exit 1

builds_and_runs() {
    "$1" -std=c++17 -Wall -Wextra -Werror -O1 -g -Iinclude tests/cxx/go.cc "$library" -pthread -o "$tap_dir/go" &&
        timeout 20 "$tap_dir/go"
}

for compiler in g++ clang++; do
    if command -v $compiler >/dev/null; then
        check "go, channels, select and sync from C++ with $compiler" builds_and_runs $compiler
    else
        skip "go, channels, select and sync from C++ with $compiler" "$compiler is not installed"
    fi
done
finish
