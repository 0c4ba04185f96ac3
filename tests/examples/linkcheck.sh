#!/bin/sh
# examples/linkcheck.c on sites that nginx serves: every kind of link, and a site of some size.
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../nginx.sh"
linkcheck=$tap_dir/linkcheck
"$RUNNEL" build -o "$linkcheck" "$RUNNEL_ROOT/examples/linkcheck.c" || exit 1
site=$tap_dir/site
mkdir -p "$site/deep/er" "$site/large" "$site/strange"
cd "$tap_dir" || exit 1
unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY

cat >"$site/index.html" <<'HTML'
<!doctype html><title>A <a href=title>link in a title is text</a></title>
<a href="deep/">down</a> <A HREF=deep/er/ class=x>further</A> <a href='/moved'>moved</a>
<a href="with space.html">blank</a> <a href=" with%20space.html#here ">blank</a> <a href="n&#228;he.html">umlaut</a>
<a href="text.txt#whatever">no HTML</a> <a href="?a=1&amp;b=2">query</a> <a href="">itself</a> <a href=#>top</a>
<a href="JavaScript:void(0)">script</a> <a href="mailto:me@example.org">me</a> <a href=tel:123>call</a>
<!-- <a href=comment> --> <script>document.write('<a href=script>')</script> <style>a > b {}</style>
<link rel=preconnect href=//elsewhere.invalid><link rel=stylesheet href=style.css>
<a
   title="a > in an attribute"
   href="gone.html">line 10</a>
<img alt=x src=gone.png><a href="deep/er/#lost">lost</a><a href="text.txt/">not a directory</a>
<a href="http://">nothing</a>
HTML
printf '<base href="/deep/er/"><a href="../index.html#a b">up</a> <a href=index.html#%%C3%%A4>here</a> <a href=no>no</a>' >"$site/deep/index.html"
printf '<p id="a b"><a name="ä">x</a><a href=//%s/>home</a>' 'HOST' >"$site/deep/er/index.html"
printf '<p id="a b">up</p>' >"$site/deep/index.htm"
printf '<p id=here>here' >"$site/with space.html"
printf 'near' >"$site/nähe.html"
printf 'a text with <a href=nothing>' >"$site/text.txt"
: >"$site/style.css"
printf '<a href=a href=second><a  href = b.html><a href=c.html/><a/href="d.html"/><a =x href=e.html><a href="open.html' >"$site/strange/index.html"
printf '<a href=http://127.0.0.1:1/>nobody</a> <a href=http://HOST/refuses-head>x</a> <a href=http://HOST/gone>y</a>' >"$site/others.html"
i=0
while [ $i -lt 400 ]; do
    printf '<p id=p%d><a href=%d.html#p%d>on</a> <a href=%d.html>back</a> <img src=i%d.png>\n' \
        $i $(((i + 1) % 400)) $(((i + 1) % 400)) $((i / 2)) $((i % 50)) >"$site/large/$i.html"
    [ $i -ge 50 ] || : >"$site/large/i$i.png"
    i=$((i + 1))
done
rm "$site/large/i7.png"

site_links() {
    "$linkcheck" "http://$nginx/" >out 2>err
    status=$?
    sed "s/$nginx/HOST/g" out
    cat err
    cat >want <<'TEXT'
http://HOST/:10: gone.html: 404 Not Found
http://HOST/:11: deep/er/#lost: the page has no such place
http://HOST/:11: gone.png: 404 Not Found
http://HOST/:11: text.txt/: 404 Not Found
http://HOST/:12: http://: not an address
http://HOST/?a=1&b=2:10: gone.html: 404 Not Found
TEXT
    sed "s/$nginx/HOST/g" out | grep '^http://HOST/:' | LC_ALL=C sort | sed 5q >got
    head -n 5 want | diff - got || return 1
    [ $status = 1 ] && [ ! -s err ] && grep -q '/deep/:1: no: 404' out && ! grep -q 'deep/er/:' out && grep -q '/deep/:1: ../index.html#a b' out
}

unclean_html() {
    "$linkcheck" "http://$nginx/strange/" >out
    [ $? = 1 ] || return 1
    cat out
    for link in a b.html c.html/ d.html e.html; do
        grep -q "/strange/:1: $link: 404" out || { echo "lacks $link"; return 1; }
    done
    ! grep -q second out
}

large() {
    "$linkcheck" -n 50 "http://$nginx/large/0.html" >out
    [ $? = 1 ] && [ "$(grep -c 'i7.png: 404 Not Found$' out)" = 8 ] && tail -n 1 out | grep -qx '400 pages, 1200 links, 8 broken'
}

others() {
    sed -i "s/HOST/localhost:${nginx#*:}/g" "$site/others.html"
    "$linkcheck" "http://$nginx/others.html" >out || return 1 # not looked at
    grep -qx '1 pages, 0 links, 0 broken' out || return 1
    "$linkcheck" -e "http://$nginx/others.html" >out
    [ $? = 1 ] && [ "$(grep -c '' out)" = 3 ] && grep -q ':1: http://127.0.0.1:1/: .*onnect' out &&
        grep -q '/gone: 404 Not Found$' out && grep -qx '1 pages, 3 links, 2 broken' out
}

limit() {
    "$linkcheck" -m 10 "http://$nginx/large/0.html" >out 2>err
    cat out err
    grep -q 'stopped early' err && grep -q ' pages' out
}

no_site() {
    "$linkcheck" http://127.0.0.1:1/ >out 2>err
    [ $? = 2 ] && [ ! -s out ] && [ "$(wc -l <err)" = 1 ] || return 1
    "$linkcheck" "http://$nginx/nothing" >out 2>err
    [ $? = 2 ] && grep -q 'nothing: 404 Not Found$' err || return 1
    "$linkcheck" -x 2>err
    [ $? = 2 ]
}

if nginx_serve "$site" 'charset utf-8; location = /moved { return 302 /deep/; }
    location = /refuses-head { if ($request_method = HEAD) { return 405; } return 200 "fine"; }'; then
    sed -i "s/HOST/$nginx/" "$site/deep/er/index.html"
    check "every kind of link" site_links
    check "HTML as it is found" unclean_html
    check "400 pages, 50 at once" large
    check "other sites, by HEAD, then by GET" others
    check "a limit" limit
    check "a site that is not there" no_site
else
    skip "sites" "nginx is not installed"
fi
finish
