#!/bin/sh
# What the library exports: prefixed names only, and each public one has a prototype with a comment.
. "$(dirname "$0")/../tap.sh"
cd "$RUNNEL_ROOT" || exit 1
library=$RUNNEL_ROOT/build/release/librunnel.a
http=$RUNNEL_ROOT/build/release/librunnel_http.a
[ -e "$http" ] || http=

exported() {
    # Default visibility is shown by readelf alone; main is what the library brings for rn_main.
    # shellcheck disable=SC2086 # a word or none
    readelf -sW "$library" $http 2>/dev/null | awk '$5 == "GLOBAL" && $6 == "DEFAULT" && $7 != "UND" && $8 != "main" { print $8 }' | sort -u
}

# The public headers whose library is built.
headers() {
    for header in include/runnel/*.h; do
        case $header in */http*.h | */websocket.h) [ -n "$http" ] || continue ;; esac
        cat "$header"
    done
}

all_prefixed() {
    ! exported | grep -v '^rn_'
}

# A comment stands before the prototype: in the same paragraph, the text between two blank lines.
documented() {
    exported | grep -v '^rn__' >"$tap_dir/public"
    [ -s "$tap_dir/public" ] || { echo "nothing is exported"; return 1; }
    headers | awk -v names="$tap_dir/public" '
        BEGIN { RS = ""; while ((getline name < names) > 0 ) { split(name, l, "\n"); for (i in l) missing[l[i]] = 1 } }
        { for (name in missing)
            if ($0 ~ ("[^a-z_0-9]" name "[^a-z_0-9]") && $0 ~ /\/\*/ && $0 ~ /RN_PUBLIC/) delete missing[name] }
        END { for (name in missing) { print name " is exported, but has no prototype with a comment"; bad = 1 } exit bad }'
}

# And none declares what does not exist.
defined() {
    exported >"$tap_dir/all"
    headers | tr '\n' ' ' | grep -oE 'RN_PUBLIC[^;{]*[;{]' | grep -oE '\(?rn_[a-z_0-9]+\)? ?[(;[]' |
        tr -d '(;[ )' | sort -u | grep -vE '^rn_(time|duration|error|main|atomic)$' >"$tap_dir/declared"
    ! grep -vxFf "$tap_dir/all" "$tap_dir/declared"
}

check "every exported name begins with rn_" all_prefixed
check "every exported function has a prototype with a comment" documented
check "every prototype has a function" defined
finish
