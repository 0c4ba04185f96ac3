#!/bin/sh
# Documents do not drift from the code: a listing that names its file is that file's text (see
# docs/update-listings), and links between documents lead somewhere.
. "$(dirname "$0")/../tap.sh"
cd "$RUNNEL_ROOT" || exit 1
documents=$(find README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md docs -name '*.md' 2>/dev/null)

links() {
    bad=0
    for document in $documents; do
        for link in $(grep -oE '\]\([^)# ]+' "$document" | cut -c3- | grep -v '://'); do
            [ -e "$(dirname "$document")/$link" ] || { echo "$document: no $link"; bad=1; }
        done
    done
    return $bad
}

check "listings are the text of their files" docs/update-listings --check
check "links between documents lead somewhere" links
finish
