#!/bin/sh
# The installed library: a user's program is built against it with pkg-config and with CMake, with
# the static and with the shared library, and the installed command works.
. "$(dirname "$0")/../tap.sh"
unset CC CFLAGS LDFLAGS LDLIBS
export XDG_CACHE_HOME="$tap_dir/cache"
prefix=$tap_dir/prefix
cd "$tap_dir" || exit 1

install_it() {
    cmake --build "$RUNNEL_ROOT/build/release" && cmake --install "$RUNNEL_ROOT/build/release" --prefix "$prefix"
}
check "the library installs" install_it
lib=$(dirname "$(find "$prefix" -name librunnel.a | head -n 1)")
export PKG_CONFIG_PATH="$lib/pkgconfig" LD_LIBRARY_PATH="$lib"

cat >rn.c <<'END'
#include <runnel.h>
#include <stdio.h>
static void send(chan_send_only(int) c, int v) { chan_send(c, v); }
int rn_main(int argc, char **argv)
{
    (void)argv;
    chan(int) c = chan_make(int, 0);
    go(send, c, 40 + argc);
    printf("%d\n", chan_recv(c));
    chan_free(c);
    return 0;
}
END
cat >host.c <<'END'
#include <runnel.h>
#include <stdio.h>
static int work(int n) { return n + 1; }
int main(void)
{
    printf("%d\n", rn_run(work, 40));
    return 0;
}
END
cat >cxx.cc <<'END'
#include <runnel.h>
int main() { return rn_procs() < 1; }
END

# shellcheck disable=SC2046 # a list of words
pkg_config() { # source how
    case $2 in
    static) cc -o prog "$1.c" $(pkg-config --cflags runnel) "$lib/librunnel.a" -pthread ;;
    shared) cc -o prog "$1.c" $(pkg-config --cflags --libs runnel) && readelf -d prog | grep -q 'librunnel.so.0' ;;
    hidden) cc -fvisibility=hidden -O2 -o prog "$1.c" $(pkg-config --cflags --libs runnel) ;;
    nopie) cc -no-pie -fno-pie -o prog "$1.c" $(pkg-config --cflags --libs runnel) ;;
    esac && [ "$(./prog)" = 41 ]
}
for how in static shared hidden nopie; do
    for program in rn host; do
        check "pkg-config, $how, $program" pkg_config $program $how
    done
done

cxx() {
    # shellcheck disable=SC2046
    c++ -std=c++17 -o cxxprog cxx.cc $(pkg-config --cflags --libs runnel) && ./cxxprog
}
check "a C++ program" cxx

# Locks are compiled into functions of which the linker keeps one of several, or none (runnel/own.h).
cat >locks.h <<'END'
#include <runnel.h>
struct counter {
    rn_mutex m = {};
    rn_rwmutex rw = {};
    long n = 0;
    void add() { mutex_lock(&m); n++; mutex_unlock(&m); }
    long read() { rwmutex_rlock(&rw); long it = n; rwmutex_runlock(&rw); return it; }
};
inline void add_often(counter &c) { for (int i = 0; i < 100000; i++) { c.add(); c.read(); } }
void also(counter &c);
END
printf '#include "locks.h"\nvoid also(counter &c) { add_often(c); }\n' >locks_also.cc
cat >locks.cc <<'END'
#include "locks.h"
extern "C" int nobody_has_this();
int nobody_calls_this(counter &c) { c.add(); return nobody_has_this(); }
int rn_main(int, char **) { static counter c; add_often(c); also(c); return c.n == 200000 ? 0 : 1; }
END
locks_cxx() {
    for cxx in g++ clang++; do
        command -v $cxx >/dev/null || continue
        for how in -O0 -O2 "-O2 -fPIC" "-O2 -fno-pie -no-pie" "-O2 -masm=intel"; do
            # shellcheck disable=SC2046,SC2086 # lists of words
            $cxx -std=c++17 $how -ffunction-sections -fdata-sections -Wl,--gc-sections -o locks locks.cc locks_also.cc \
                $(pkg-config --cflags runnel) "$lib/librunnel.a" -pthread && ./locks || return 1
        done
    done
}
check "locks in inline functions of two files, and in one that nobody calls" locks_cxx

cmake_package() {
    mkdir -p cm && cat >cm/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.20)
project(user LANGUAGES C)
find_package(runnel 0.1 REQUIRED)
add_executable(shared ../rn.c)
target_link_libraries(shared PRIVATE runnel::runnel)
add_executable(static ../rn.c)
target_link_libraries(static PRIVATE runnel::runnel-static)
END
    cmake -S cm -B cm/build -DCMAKE_PREFIX_PATH="$prefix" && cmake --build cm/build &&
        [ "$(cm/build/shared)" = 41 ] && [ "$(cm/build/static)" = 41 ]
}
check "CMake's find_package" cmake_package

# A plugin with a copy of its own: nobody else sees it, also in a program that has the library already, and uses it.
cat >plugin.c <<'END'
#include <runnel.h>
static void cleared(int *n) { *n = 0; }
static int add(int n) { int one = 1; defer(cleared, &one); return n + one; }
int plugin(int n)
{
    chan(int) c = chan_make(int, 1); /* of a plain thread's, before the run */
    if (chan_select(on_recv(c, NULL), on_timeout(1)) == 1)
        chan_send(c, n);
    n = chan_recv(c);
    chan_free(c);
    return rn_run(add, n);
}
END
cat >loads.c <<'END'
#include <runnel.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
static int ask(int (*plugin)(int)) { return plugin(40); }
int main(int argc, char **argv)
{
    void *it = dlopen(argv[1], RTLD_NOW);
    int (*plugin)(int) = 0;
    if (it)
        memcpy(&plugin, &(void *){dlsym(it, "plugin")}, sizeof plugin);
    if (!plugin)
        return fprintf(stderr, "%s\n", dlerror()), 2;
    int alone = argc > 2 ? plugin(40) : 41, within = argc > 3 ? rn_run(ask, plugin) : 41;
    printf("%d\n", alone == within ? alone : -1);
    return 0;
}
END
plugin() {
    # shellcheck disable=SC2046
    cc -shared -fPIC -o plugin.so plugin.c $(pkg-config --cflags runnel) "$lib/librunnel_pic.a" -pthread -Wl,-z,defs \
        -Wl,--exclude-libs,librunnel_pic.a && ! nm -D --defined-only plugin.so | grep ' rn_' &&
        cc -o loads loads.c $(pkg-config --cflags --libs runnel) && [ "$(./loads ./plugin.so alone within)" = 41 ]
}
check "a plugin with its own copy of the library" plugin

# Who has used a plugin may end after it is gone.
cat >outlives.c <<'END'
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
static pthread_barrier_t used, gone;
static int (*plugin)(int);
static void *user(void *unused)
{
    int n = plugin(40);
    pthread_barrier_wait(&used);
    pthread_barrier_wait(&gone);
    return n == 41 ? unused : NULL;
}
int main(int argc, char **argv)
{
    pthread_barrier_init(&used, NULL, 2);
    pthread_barrier_init(&gone, NULL, 2);
    for (int i = 0; argc > 1 && i < 600; i++) { /* more than there are thread-specific keys, two at a time */
        void *it = dlopen(argv[1], RTLD_NOW), *all_right;
        pthread_t t;
        if (!it)
            return fprintf(stderr, "%s\n", dlerror()), 2;
        memcpy(&plugin, &(void *){dlsym(it, "plugin")}, sizeof plugin);
        pthread_create(&t, NULL, user, it);
        pthread_barrier_wait(&used);
        dlclose(it);
        if (dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD))
            return fprintf(stderr, "still there\n"), 3;
        pthread_barrier_wait(&gone);
        pthread_join(t, &all_right);
        if (!all_right)
            return 4;
    }
    return 0;
}
END
outlives() {
    # shellcheck disable=SC2046
    cc -o outlives outlives.c -pthread && ./outlives ./plugin.so &&
        cc -shared -fPIC -o sharing.so plugin.c $(pkg-config --cflags --libs runnel) && ./outlives ./sharing.so
}
check "threads end after the plugin that they have used" outlives

cmake_plugin() {
    mkdir -p plug && cat >plug/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.20)
project(user LANGUAGES C)
find_package(runnel 0.1 REQUIRED)
add_library(plugin MODULE ../plugin.c)
target_link_libraries(plugin PRIVATE runnel::runnel-pic)
END
    cmake -S plug -B plug/build -DCMAKE_PREFIX_PATH="$prefix" && cmake --build plug/build &&
        [ "$(./loads plug/build/libplugin.so alone)" = 41 ] && ! nm -D --defined-only plug/build/libplugin.so | grep ' rn_'
}
check "a plugin by CMake" cmake_plugin

# Components: http is there where it was built; one that does not exist is refused.
cmake_components() {
    mkdir -p parts && cat >parts/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.20)
project(user LANGUAGES C)
find_package(runnel 0.1 REQUIRED COMPONENTS ${PARTS})
add_executable(prog ../http.c)
target_link_libraries(prog PRIVATE runnel::runnel-http)
END
    cat >http.c <<'END'
#include <runnel.h>
#include <runnel/http.h>
int rn_main(int argc, char **argv)
{
    (void)argv;
    http_mux *m = http_mux_make();
    http_mux_free(m);
    return argc - 1;
}
END
    cmake -S parts -B parts/none -DCMAKE_PREFIX_PATH="$prefix" -DPARTS=nonsense && return 1
    [ -e "$lib/librunnel_http.a" ] || return 0
    cmake -S parts -B parts/build -DCMAKE_PREFIX_PATH="$prefix" -DPARTS=http && cmake --build parts/build && parts/build/prog
}
check "CMake's components" cmake_components

# As a part of another project, whose targets have names of their own, and whose warnings and ways to compile are for its files.
subdirectory() {
    mkdir -p inside && cat >inside/CMakeLists.txt <<END
cmake_minimum_required(VERSION 3.21)
project(user LANGUAGES C)
add_custom_target(kit)
add_custom_target(tests)
add_subdirectory("$RUNNEL_ROOT" runnel)
add_executable(prog ../rn.c)
target_link_libraries(prog PRIVATE runnel::runnel-static)
if(CMAKE_BUILD_TYPE)
    message(FATAL_ERROR "the user's build type was changed")
endif()
END
    cmake -G Ninja -S inside -B inside/build -DCMAKE_UNITY_BUILD=ON -DCMAKE_C_FLAGS='-Wpedantic -Werror' &&
        grep -q 'build prog: ' inside/build/build.ninja && ! grep -q 'runnel.*unity_' inside/build/build.ninja &&
        ninja -C inside/build runnel/CMakeFiles/runnel_static.dir/src/os/bound.c.o runnel/CMakeFiles/runnel.dir/tools/hash.c.o
}
check "add_subdirectory" subdirectory

# What the libraries show to programs begins with rn_ (and is theirs); the manual is found.
exported() {
    for so in "$lib"/librunnel*.so; do
        bad=$(nm -D --defined-only "$so" | grep -vE ' (rn_|rn__)[a-z0-9_]*$| main$')
        echo "$so: $bad"
        [ -z "$bad" ] || return 1
    done
    readelf -d "$lib/librunnel.so" | grep -q 'SONAME.*librunnel.so.0\]' && [ -s "$prefix/share/man/man1/runnel.1" ]
}
check "exported names, SONAME, manual" exported

staged() {
    DESTDIR="$tap_dir/stage" cmake --install "$RUNNEL_ROOT/build/release" --prefix /opt/runnel &&
        staged=$(dirname "$(find "$tap_dir/stage/opt/runnel" -name runnel.pc)") &&
        [ -e "$(PKG_CONFIG_PATH=$staged pkg-config --variable=includedir runnel)/runnel.h" ] &&
        ls "$tap_dir"/stage/opt/runnel/share/gdb/auto-load/opt/runnel/lib*/librunnel.so.*-gdb.py
}
check "DESTDIR" staged

# gdb finds what is for the shared library by that one's path, in its own directory of such scripts.
auto_loaded() {
    # shellcheck disable=SC2046
    cc -g -o inspected rn.c $(pkg-config --cflags --libs runnel) || return 1
    found=$(gdb -batch -iex "add-auto-load-safe-path $prefix" -iex "add-auto-load-scripts-directory $prefix/share/gdb/auto-load" \
        -ex "break send" -ex run -ex "info goroutines" ./inspected 2>&1)
    echo "$found"
    echo "$found" | grep -q '2 \[running\] send '
}
if command -v gdb >/dev/null; then
    check "gdb loads the shared library's script" auto_loaded
fi

# What -explore links with is installed by itself; without it the command says how.
explored() {
    cat >order_test.c <<'END'
#include <runnel.h>
#include <runnel/test.h>
TEST(nothing) { rn_yield(); }
END
    "$prefix/bin/runnel" test -explore 3 order_test.c >said 2>&1 && return 1
    grep -q -e "--install build/explore --prefix $prefix --component explore" said || return 1
    (cd "$RUNNEL_ROOT" && cmake --preset explore && cmake --build build/explore --target runnel_static runnel_http_static) &&
        cmake --install "$RUNNEL_ROOT/build/explore" --prefix "$prefix" --component explore &&
        [ "$(find "$prefix" -name librunnel.a | wc -l)" = 2 ] && "$prefix/bin/runnel" test -explore 3 order_test.c
}
check "-explore, installed beside it" explored

new_project() {
    "$prefix/bin/runnel" new demo && cd demo && cmake -S . -B build -DCMAKE_PREFIX_PATH="$prefix" &&
        cmake --build build && [ "$(build/demo 3 4)" = "the squares' sum is 25" ] && build/squares_test
}
check "a project of runnel new builds with CMake" new_project

installed_command() {
    unset LD_LIBRARY_PATH
    [ "$("$prefix/bin/runnel" run rn.c)" = 41 ] && cd demo && "$prefix/bin/runnel" test
}
check "the installed command runs and tests" installed_command

race_is_explained() {
    "$prefix/bin/runnel" run -race rn.c 2>said
    [ $? = 1 ] && [ "$(wc -l <said)" = 1 ]
}
check "the installed command says where -race is" race_is_explained
finish
