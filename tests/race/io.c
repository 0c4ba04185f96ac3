/* Sockets, pipes, files, signals: what bytes that arrive order, and that the buffers of calls are seen. */
#include "pairs.h"
#include <runnel/fd.h>
#include <runnel/file.h>
#include <runnel/net.h>
#include <runnel/reader.h>
#include <runnel/signal.h>
#include <signal.h>
#include <unistd.h>

static rn_listener *listener;
static rn_conn *near_end, *far_end;
static rn_file *file;
static __attribute__((used)) char text[16] = "text";
static char byte;

/* The second side comes after the opening, and after nothing else. */
static void opens(void (*how)(void))
{
    how();
    rn_atomic_store(&flag, 1);
}

static void opened(void)
{
    while (!rn_atomic_load(&flag))
        rn_yield();
}

static void listen_here(char *address)
{
    rn_addr at;
    REQUIRE(net_listen("tcp", "127.0.0.1:0", &listener) == 0);
    rn_net_listener_addr(listener, &at);
    rn_addr_format(&at, address);
}

static void tcp(void)
{
    char address[RN_ADDR_TEXT];
    listen_here(address);
    REQUIRE(net_dial("tcp", address, &near_end) == 0);
    REQUIRE(net_accept(listener, &far_end) == 0);
    net_listener_free(listener);
}

static void unix_pair(void)
{
    REQUIRE(net_pair(&near_end, &far_end) == 0);
}

static void pipe_ends(void)
{
    REQUIRE(rn_pipe(&far_end, &near_end) == 0);
}

static void end(void)
{
    net_free(near_end);
    net_free(far_end);
}

static void make_file(void)
{
    char path[] = "/tmp/runnel-race-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    unlink(path);
    REQUIRE(file_of_fd(fd, &file) == 0);
    CHECK_EQ(file_pwrite(file, "four", 4, 0), 4);
}

/* What was done before a write comes before what follows the read of its bytes. */
#define SENT CHECK_EQ(net_write(near_end, "a", 1), 1)
#define CAME CHECK_EQ(net_read(far_end, &byte, 1), 1)
CLEAN(tcp_clean, opens(tcp); WRITE; SENT; STEP(1), AWAIT(1); opened(); CAME; WRITE; end())
RACY(tcp_racy, opens(tcp); SENT; WRITE; STEP(1), AWAIT(1); opened(); CAME; WRITE; end())
CLEAN(unix_socket_clean, opens(unix_pair); WRITE; SENT; STEP(1), AWAIT(1); opened(); CAME; WRITE; end())
RACY(unix_socket_racy, opens(unix_pair); SENT; WRITE; STEP(1), AWAIT(1); opened(); CAME; WRITE; end())

/* The reader waits before there is something to read. */
CLEAN(tcp_waiting_clean, opens(tcp); STEP(1); AWAIT(2); WRITE; SENT, AWAIT(1); opened(); STEP(2); CAME; WRITE; end())
RACY(tcp_waiting_racy, opens(tcp); STEP(1); AWAIT(2); SENT; WRITE; STEP(3), AWAIT(1); opened(); STEP(2); CAME; AWAIT(3);
     WRITE; end())

/* The buffers of reads and writes. */
ACCESS(tcp_write_from, opens(tcp); CHECK_EQ(net_write(near_end, text, 4), 4), opened(); text[2] = 'y'; end())
ACCESS(tcp_read_into, opens(tcp); CHECK_EQ(net_write(near_end, "four", 4), 4);
       CHECK_EQ(net_read_full(far_end, text, 4), 0), opened(); text[2] = 'y'; end())
ACCESS(pipe_write_from, opens(pipe_ends); CHECK_EQ(net_write(near_end, text, 4), 4), opened(); text[2] = 'y'; end())
ACCESS(pipe_read_into, opens(pipe_ends); CHECK_EQ(net_write(near_end, "four", 4), 4);
       CHECK_EQ(net_read_full(far_end, text, 4), 0), opened(); text[2] = 'y'; end())
ACCESS(file_write_from, opens(make_file); CHECK_EQ(file_pwrite(file, text, 4, 0), 4), opened(); text[2] = 'y';
       file_free(file))
ACCESS(file_read_into, opens(make_file); CHECK_EQ(file_pread(file, text, 4, 0), 4), opened(); text[2] = 'y';
       file_free(file))

/* A report has the line that called, also where libc has done it far inside: both read into the same buffer. */
#define LINE_OF(n) LINE_AS_TEXT(n)
#define LINE_AS_TEXT(n) #n
#define SAME_LINE(name, make, call, ending)                                                          \
    static void name##_call(void)                                                                    \
    {                                                                                                \
        call;                                                                                        \
    }                                                                                                \
    PAIR_SIDES(name, opens(make); name##_call(); STEP(1), opened(); AWAIT(1); name##_call(); ending) \
    TEST_DIES(name, 66, "io.c:" LINE_OF(__LINE__) ": both goroutines run it")                        \
    {                                                                                                \
        pair(name##_first, name##_second);                                                           \
    }
static void filled_tcp(void)
{
    tcp();
    CHECK_EQ(net_write(near_end, "four\nsix\n", 9), 9);
}
static void filled_pipe(void)
{
    pipe_ends();
    CHECK_EQ(net_write(near_end, "fourfour", 8), 8);
}
static rn_reader both_read;
static void read_lines(void)
{
    filled_tcp();
    reader_init(&both_read, far_end, text, sizeof text);
}
static char *line;
SAME_LINE(tcp_read_at, filled_tcp, CHECK_EQ(net_read(far_end, text, 4), 4), end())
SAME_LINE(pipe_read_at, filled_pipe, CHECK_EQ(net_read_full(far_end, text, 4), 0), end())
SAME_LINE(file_read_at, make_file, CHECK_EQ(file_pread(file, text, 4, 0), 4), file_free(file))
SAME_LINE(reader_line_at, read_lines, CHECK_EQ(reader_line(&both_read, &line, NULL), 0), end())

/* The same with files: a read comes after the writes before it, to whichever file. */
static rn_file *file2;
static void same_file_twice(void)
{
    make_file();
    REQUIRE(file_of_fd(dup(file_fd(file)), &file2) == 0);
}
static void free_both(void)
{
    file_free(file);
    file_free(file2);
}
#define STORED CHECK_EQ(file_pwrite(file, "a", 1, 0), 1)
#define LOADED CHECK_EQ(file_pread(file, &byte, 1, 0), 1)
CLEAN(file_clean, opens(make_file); WRITE; STORED; STEP(1), AWAIT(1); opened(); LOADED; WRITE; file_free(file))
RACY(file_racy, opens(make_file); STORED; WRITE; STEP(1), AWAIT(1); opened(); LOADED; WRITE; file_free(file))
RACY(file_not_read_racy, opens(make_file); WRITE; STORED; STEP(1), AWAIT(1); opened(); WRITE; file_free(file))
RACY(file_read_first_racy, opens(make_file); LOADED; WRITE; STEP(1), AWAIT(1); opened(); STORED; WRITE; file_free(file))
CLEAN(file_by_position_clean, opens(same_file_twice); WRITE; CHECK_EQ(file_write(file, "ab", 2), 2);
      CHECK_EQ(file_seek(file2, 0, SEEK_SET), 0); STEP(1), AWAIT(1); opened(); CHECK_EQ(file_read(file2, &byte, 1), 1);
      WRITE; free_both())
RACY(file_by_position_racy, opens(same_file_twice); CHECK_EQ(file_write(file, "ab", 2), 2);
     CHECK_EQ(file_seek(file2, 0, SEEK_SET), 0); WRITE; STEP(1), AWAIT(1); opened();
     CHECK_EQ(file_read(file2, &byte, 1), 1); WRITE; free_both())

/* A signal comes from outside: that its sender is this program orders nothing. */
static void notify(void)
{
    REQUIRE(signal_notify(c2, SIGUSR2) == 0);
}
CLEAN(signal_and_channel_clean, opens(notify); WRITE; kill(getpid(), SIGUSR2); chan_send(c1, 1), opened();
      CHECK_EQ(chan_recv(c2), SIGUSR2); (void)chan_recv(c1); WRITE; signal_stop(c2))
RACY(signal_racy, opens(notify); kill(getpid(), SIGUSR2); WRITE; STEP(1), opened(); CHECK_EQ(chan_recv(c2), SIGUSR2);
     AWAIT(1); WRITE; signal_stop(c2))
