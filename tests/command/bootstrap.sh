#!/bin/sh
# The script ./runnel, in a copy of the tree: a read-only place, missing packages, a failing build.
. "$(dirname "$0")/../tap.sh"
copy=$tap_dir/copy
mkdir -p "$copy/tools"
cp "$RUNNEL_ROOT/runnel" "$RUNNEL_ROOT/CMakeLists.txt" "$RUNNEL_ROOT/CMakePresets.json" "$copy"
cp -r "$RUNNEL_ROOT/cmake" "$RUNNEL_ROOT/include" "$copy"
mkdir "$copy/src"

# A PATH with the plain tools, but no compiler; and no way to install one.
bare() {
    mkdir -p "$tap_dir/bare"
    for tool in sh env find flock mkdir rm mv grep head readlink ls cat printf; do
        path=$(command -v $tool) && [ -x "$path" ] && ln -sf "$path" "$tap_dir/bare/$tool"
    done
    printf '#!/bin/sh\necho 1000\n' >"$tap_dir/bare/id"
    printf '#!/bin/sh\nexit 1\n' >"$tap_dir/bare/sudo"
    cp "$tap_dir/bare/sudo" "$tap_dir/bare/apt-get"
    chmod +x "$tap_dir/bare/id" "$tap_dir/bare/sudo" "$tap_dir/bare/apt-get"
}
missing_packages() {
    bare
    PATH=$tap_dir/bare "$copy/runnel" version >"$tap_dir/out" 2>&1
    status=$?
    cat "$tap_dir/out"
    [ $status = 1 ] && [ "$(wc -l <"$tap_dir/out")" = 1 ] &&
        grep -q 'type: sudo apt-get update && sudo apt-get install -y --no-install-recommends gcc .*cmake ninja-build' "$tap_dir/out"
}
unwritable() {
    rm -rf "$copy/build"
    : >"$copy/build" # where a directory should be: refuses root too
    "$copy/runnel" version >"$tap_dir/out" 2>&1
    status=$?
    rm -f "$copy/build"
    cat "$tap_dir/out"
    [ $status = 1 ] && [ "$(wc -l <"$tap_dir/out")" = 1 ] && grep -q "can't write to" "$tap_dir/out"
}
from_elsewhere() {
    ln -s "$RUNNEL_ROOT/runnel" "$tap_dir/link"
    cd / && [ "$("$tap_dir/link" version)" = "$("$RUNNEL_ROOT/runnel" version)" ]
}
check "missing packages: one line to type" missing_packages
check "a build directory that can't be written" unwritable
check "through a link, from another directory" from_elsewhere
finish
