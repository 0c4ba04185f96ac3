#!/bin/sh
# Documents do not drift from the code: a listing that names its file is that file's text, and links
# between documents lead somewhere.
#
# A listing is a block fenced by ```c directly below a line `<!-- listing: path -->`, or
# `<!-- listing: path from "first line" to "last line" -->` for a part.
. "$(dirname "$0")/../tap.sh"
cd "$RUNNEL_ROOT" || exit 1
documents=$(find README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md docs -name '*.md' 2>/dev/null)

# shellcheck disable=SC2086 # a list of words
listings() {
    awk '
    function part(path, from, to,    line, all, on) {
        on = from == ""
        while ((getline line < path) > 0) {
            if (!on && index(line, from)) on = 1
            if (on) all = all line "\n"
            if (on && to != "" && index(line, to)) break
        }
        close(path)
        return all
    }
    /^<!-- listing: / {
        spec = $0; sub(/^<!-- listing: /, "", spec); sub(/ -->$/, "", spec)
        from = to = ""
        if (match(spec, / from "/)) {
            from = substr(spec, RSTART + 7); spec = substr(spec, 1, RSTART - 1)
            if (match(from, /" to "/)) { to = substr(from, RSTART + 6); from = substr(from, 1, RSTART - 1); sub(/"$/, "", to) }
            else sub(/"$/, "", from)
        }
        want = part(spec, from, to); have = ""; place = FILENAME ":" FNR
        if (want == "") { print place ": no such listing: " $0; bad = 1 }
        waiting = 1; next
    }
    waiting && /^```/ { waiting = 0; inside = 1; next }
    inside && /^```/ {
        inside = 0
        if (have != want) { print place ": differs from " spec; bad = 1 }
        next
    }
    inside { have = have $0 "\n" }
    END { exit bad }' $documents
}

links() {
    bad=0
    for document in $documents; do
        for link in $(grep -oE '\]\([^)# ]+' "$document" | cut -c3- | grep -v '://'); do
            [ -e "$(dirname "$document")/$link" ] || { echo "$document: no $link"; bad=1; }
        done
    done
    return $bad
}

check "listings are the text of their files" listings
check "links between documents lead somewhere" links
finish
