#!/bin/sh
# runnel vet on real C programs, from the sources of the Debian that this machine has: sh tests/vet/debian/run.sh
#
# Each is looked at twice: as it is (it does not use runnel: nothing is to be said), and with its threads, locks and condition
# variables taken for runnel's (pthread.h), so that the rules have real code to look at.  What they say then must stand
# in `true`, with its reason: a warning that is not there fails.  Not one of the tests, since it needs Debian's archive.
: "${RUNNEL_ROOT:=$(cd "$(dirname "$0")/../../.." && pwd -P)}"
. "$RUNNEL_ROOT/tests/tap.sh"
here=$RUNNEL_ROOT/tests/vet/debian
keep=${1:-} # a directory for the sources; else one that is removed
work=${keep:-$tap_dir/debian}
mkdir -p "$work/etc" "$work/lists/partial" "$work/cache/archives/partial" && cd "$work" || exit 1

# The machine's own sources, for source packages; none of the system's files is changed.
cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | sed -n 's/^deb /deb-src /p' >etc/src.list
for f in /etc/apt/sources.list.d/*.sources; do
    [ -f "$f" ] && sed 's/^Types:.*/Types: deb-src/' "$f" >"etc/$(basename "$f")"
done
cat >apt.conf <<C
Dir::Etc::SourceList "$work/etc/src.list";
Dir::Etc::SourceParts "$work/etc";
Dir::State::Lists "$work/lists";
Dir::Cache "$work/cache";
APT::Sandbox::User "root";
C
export APT_CONFIG="$work/apt.conf"
no() {
    echo "1..0 # SKIP $1"
    exit 0
}
command -v apt-get >/dev/null || no "no apt-get here"
[ -n "$(ls lists/*Sources* 2>/dev/null)" ] || timeout 120 apt-get update >apt.out 2>&1
[ -n "$(ls lists/*Sources* 2>/dev/null)" ] || no "no source packages to be had: $(grep -m 1 '^[EW]:' apt.out)"

# DIR PACKAGE: the program's own sources, without Debian's changes.
get() {
    [ -d "$1" ] && return
    timeout 300 apt-get source --download-only "$2" >>apt.out 2>&1
    for tar in "$2"_*.orig.tar.*z; do
        [ -f "$tar" ] && mkdir -p "$1" && tar xf "$tar" -C "$1" --strip-components=1 && return
    done
    return 1
}

# "file|rule|line of the source" of each warning.
warnings() {
    awk '/: warning: .* \[vet: [a-z]*\]$/ { split($0, a, ":"); rule = $NF; sub(/\]/, "", rule); getline line
           sub(/^ *[0-9]* \| [ \t]*/, "", line); print a[1] "|" rule "|" line }'
}

look() { # NAME FLAGS-AND-FILES
    name=$1
    shift
    "$RUNNEL" vet "$@" >"$work/$name.plain" 2>&1 || { head -n 20 "$work/$name.plain"; return 1; }
    [ ! -s "$work/$name.plain" ] || return 1
    "$RUNNEL" vet -stack 8M -include "$here/pthread.h" "$@" >"$work/$name.out" 2>"$work/$name.err"
    [ ! -s "$work/$name.err" ] || { head -n 20 "$work/$name.err"; return 1; }
    warnings <"$work/$name.out" | sed "s/^/$name|/" | sort -u >"$work/$name.found"
    sed -n "s/^\($name|.*\) #.*/\1/p" "$here/true" | sort -u >"$work/$name.true"
    comm -23 "$work/$name.found" "$work/$name.true" >"$work/$name.new"
    cat "$work/$name.new"
    echo "# $name: $(wc -l <"$work/$name.found") places said, $(wc -l <"$work/$name.new") of them not known to be true" >&3
    [ ! -s "$work/$name.new" ]
}
exec 3>&1

redis() {
    cd "$work/redis/src" && sh ./mkreleasehdr.sh >/dev/null &&
        look redis -I../deps/lua/src -I../deps/hiredis -I../deps/linenoise -I../deps/hdr_histogram \
            $(ls *.c | grep -v -e ae_ -e redis-cli -e redis-benchmark -e redis-check)
}
memcached() {
    cd "$work/memcached" && mkdir -p own && (cd own && env -u APT_CONFIG timeout 100 apt-get download libevent-dev >>../../apt.out 2>&1 && dpkg -x libevent-dev*.deb .)
    # What configure would find, as far as the sources want it.
    sed -e 's/#undef \(HAVE_\(STDINT\|INTTYPES\|STDBOOL\|UNISTD\|SYS_STAT\|STRING\|STDLIB\|CLOCK_GETTIME\|ACCEPT4\|GETOPT_LONG\|MLOCKALL\|SIGIGNORE\|EVENTFD\|GCC_64ATOMICS\|GCC_ATOMICS\)[A-Z_]*\).*/#define \1 1/' \
        -e 's/#undef \(PACKAGE\|VERSION\)$/#define \1 "x"/' -e 's/#undef \(ENDIAN_LITTLE\|EXTSTORE\)/#define \1 1/' config.h.in >own/config.h
    look memcached -Iown -Iown/usr/include "-Iown/usr/include/$(gcc -print-multiarch)" -D_GNU_SOURCE -include limits.h -DHAVE_CONFIG_H -DNDEBUG \
        $(ls *.c | grep -v -e testapp -e timedrun -e sizes -e _priv -e proxy -e tls -e sasl)
}
libuv() {
    cd "$work/libuv" && look libuv -Iinclude -Isrc src/*.c \
        $(for f in async core dl epoll fs getaddrinfo getnameinfo linux-core linux-inotify linux-syscalls loop-watcher loop pipe poll \
            process procfs-exepath proctitle random-devurandom random-getrandom random-sysctl-linux signal stream tcp thread tty udp; do
            echo src/unix/$f.c
        done)
}
zstd() {
    cd "$work/zstd" && look zstd -Ilib -Ilib/common -Iprograms -DZSTD_MULTITHREAD lib/*/*.c $(ls programs/*.c | grep -v zstdcli)
}
civetweb() {
    cd "$work/civetweb" && look civetweb -Iinclude -Isrc -DNO_SSL -DUSE_WEBSOCKET -DLINUX src/civetweb.c
}

for p in redis:redis memcached:memcached libuv:libuv1 zstd:libzstd civetweb:civetweb; do
    if get "${p%:*}" "${p#*:}"; then
        check "${p%:*}" "${p%:*}"
    else
        skip "${p%:*}" "its source package can't be had"
    fi
done
finish
