#!/bin/sh
# What a file may include and use: STYLE's layers, lowest first
#   base <- os, arch <- sched <- time <- chan <- sync <- context <- scope <- net <- http
# A file includes only its own layer and those below.  debug reads all of them and none includes it;
# so does test.  Only os and arch know an operating system or a processor.
. "$(dirname "$0")/../tap.sh"
cd "$RUNNEL_ROOT" || exit 1

# Every include of a file of ours: "file layer-of-file layer-of-target line".
includes_ok() {
    find src -name '*.[chS]' | sort | xargs awk '
    BEGIN {
        n = split("base os sched time chan sync context scope net http", names, " ")
        for (i = 1; i <= n; i++) level[names[i]] = i
        level["arch"] = level["os"]
        level["debug"] = level["test"] = 100
        # The layer that a public header belongs to: that of the code behind it.
        split("base context_type atomic own", h, " "); for (i in h) header[h[i]] = "base"
        split("go cxx", h, " "); for (i in h) header[h[i]] = "sched"
        split("time", h, " "); for (i in h) header[h[i]] = "time"
        split("chan select timer", h, " "); for (i in h) header[h[i]] = "chan"
        split("sync sync_type mutex rwmutex waitgroup once cond pool map semaphore flight group", h, " ")
        for (i in h) header[h[i]] = "sync"
        split("net addr fd file process reader signal", h, " "); for (i in h) header[h[i]] = "net"
        header["http"] = header["http_client"] = header["websocket"] = "http"
        header["context"] = "context"; header["scope"] = "scope"; header["debug"] = "debug"; header["test"] = header["test_alloc"] = "test"
    }
    /^[ \t]*#[ \t]*include[ \t]*["<]/ {
        split(FILENAME, part, "/"); own = part[2]
        if (!(own in level)) { print FILENAME ": unknown layer " own; bad = 1; next }
        match($0, /["<][^">]*/); target = substr($0, RSTART + 1, RLENGTH - 1)
        if (target ~ /^runnel\//) {
            sub(/^runnel\//, "", target); sub(/\.h$/, "", target)
            if (!(target in header)) { print FILENAME ":" FNR ": runnel/" target ".h is in no layer: see " "tests/check/layers.sh"; bad = 1; next }
            layer = header[target]
        } else if (index($0, "<") || target !~ /\//) {
            next
        } else {
            split(target, part, "/"); layer = part[1]
            if (!(layer in level)) { print FILENAME ":" FNR ": includes " target ", which is in no layer"; bad = 1; next }
        }
        if (layer == own) next
        if (level[layer] >= level[own] || layer == "debug" || (layer == "test")) {
            print FILENAME ":" FNR ": " own " includes " layer " (" target ")"; bad = 1
        }
    }
    END { exit bad }'
}

# grep that fails when it finds something.
none() {
    ! grep -nE "$@"
}

# src/net and above use POSIX's sockets and files directly; what is Linux's alone is behind os.h.
above_os() {
    find src \( -path src/os -o -path src/arch -o -path src/debug -o -path src/test \) -prune -o -name '*.[ch]' -print
}

# Functions named _locked say first, to debug builds, which lock their caller holds.
locked_assert() {
    find src -name '*.[ch]' | sort | xargs awk '
    /^[a-z].*_locked\(/ { name = $0 }
    /;$/ && !/^ / { name = "" }
    /^{/ && name != "" { getline; if ($0 !~ /_assert_held\(/) { print FILENAME ":" FNR ": " name; bad = 1 }; name = "" }
    END { exit bad }'
}

check "a file includes only its own layer and those below" includes_ok
check "a function named _locked asserts that it is" locked_assert
check "below net, only os, arch, debug and test include system headers" \
    none '#include <(sys/|linux/|asm/|pthread|unistd|signal|sched|time|poll|fcntl|ucontext)' \
    $(above_os | grep -vE '^src/(net|http)/')
check "net and above use nothing that is Linux's alone" \
    none '#include <(sys/(epoll|eventfd|sendfile|signalfd|timerfd|prctl|syscall)|linux/|asm/)' \
    $(above_os | grep -E '^src/(net|http)/')
check "atomic operations go through base/atomic.h" \
    none '__atomic_|__sync_|[^_a-z]atomic_(load|store|exchange|compare|fetch|thread)|stdatomic' \
    $(find src -name '*.[ch]' ! -path src/base/atomic.h)
check "clock and chance are asked through one interface" \
    none '[^_.a-z](clock_gettime|gettimeofday|getrandom|random|rand|time)\(' $(above_os)
check "no word of unfinished work" \
    none 'TODO|FIXME|[^X]XXX[^X]|[Ss]tub[^b]' $(find src include tools examples bench -name '*.[chS]' 2>/dev/null)
check "no file of over 800 lines" sh -c '! wc -l $(find src include tools -name "*.[chS]") | awk "\$1 > 800 && \$2 != \"total\"" | grep .'
finish
