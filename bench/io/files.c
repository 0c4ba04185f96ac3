/* What reading and syncing files costs, done in five ways by 100 at once:
 *
 *     runnel    file_pread, file_datasync: what the library does
 *     plain     pread on the goroutine, and the monitor takes the processor of one that blocks
 *     handed    pread between rn_blocking_enter and rn_blocking_leave
 *     uring     io_uring: submit, look whether it is done, park if not; one goroutine wakes those whose turn it is
 *     threads   a thread for each, no goroutines
 *
 * Usage: files WAY WHAT [DIRECTORY]; WHAT is hot (4 KiB from the page cache), cold (4 KiB from the disk), sync
 * (write 4 KiB and fdatasync, a file each).  Prints operations per second, and microseconds of CPU for
 * one.  `bench/io/run` runs all of them in turns.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <runnel.h>
#include <runnel/fd.h>
#include <runnel/file.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { AT_ONCE = 100, BLOCK = 4096, PAGES = 65536, HOT_PAGES = 4096 };

static const char *way, *what;
static char path[4096];
static int data_fd;
static rn_file *data_file;
static long rounds;

/* ---- io_uring ---------------------------------------------------------------------------------------- */

struct request {
    struct rn_waitgroup wg;
    int result;
};

static struct {
    int fd, event;
    atomic_flag lock;
    unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
} ring;

static void ring_lock(void)
{
    while (atomic_flag_test_and_set_explicit(&ring.lock, memory_order_acquire))
        continue;
}

static void ring_unlock(void)
{
    atomic_flag_clear_explicit(&ring.lock, memory_order_release);
}

static void ring_open(void)
{
    struct io_uring_params p = {.flags = 0};
    ring.fd = (int)syscall(SYS_io_uring_setup, 256, &p);
    if (ring.fd < 0) {
        printf("io_uring is refused: %s\n", strerror(errno));
        exit(0);
    }
    size_t sq = p.sq_off.array + p.sq_entries * sizeof(unsigned),
           cq = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
    char *at =
        mmap(NULL, sq > cq ? sq : cq, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd, IORING_OFF_SQ_RING);
    ring.sqes = mmap(NULL, p.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_POPULATE, ring.fd, IORING_OFF_SQES);
    ring.sq_tail = (void *)(at + p.sq_off.tail);
    ring.sq_mask = (void *)(at + p.sq_off.ring_mask);
    ring.sq_array = (void *)(at + p.sq_off.array);
    ring.cq_head = (void *)(at + p.cq_off.head);
    ring.cq_tail = (void *)(at + p.cq_off.tail);
    ring.cq_mask = (void *)(at + p.cq_off.ring_mask);
    ring.cqes = (void *)(at + p.cq_off.cqes);
    ring.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    /* Not …_EVENTFD_ASYNC: that leaves out what task work of the submitting thread completes, as it does cold reads. */
    syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_EVENTFD, &ring.event, 1);
}

/* With the lock: takes what is done; their waiters are woken by the caller. */
static int ring_reap(struct request **done, int max)
{
    int n = 0;
    unsigned head = *ring.cq_head;
    while (n < max && head != __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE)) {
        struct io_uring_cqe *c = &ring.cqes[head & *ring.cq_mask];
        struct request *r = (void *)(uintptr_t)c->user_data;
        r->result = c->res;
        done[n++] = r;
        head++;
    }
    __atomic_store_n(ring.cq_head, head, __ATOMIC_RELEASE);
    return n;
}

static void ring_wake(struct request **done, int n)
{
    for (int i = 0; i < n; i++)
        wg_done(&done[i]->wg);
}

static int ring_do(int op, int fd, void *buf, unsigned n, long offset)
{
    struct request r = {.result = 0}, *done[64];
    wg_add(&r.wg, 1);
    ring_lock();
    unsigned tail = *ring.sq_tail, i = tail & *ring.sq_mask;
    ring.sqes[i] = (struct io_uring_sqe){.opcode = (unsigned char)op,
                                         .fd = fd,
                                         .addr = (uintptr_t)buf,
                                         .len = n,
                                         .off = (unsigned long)offset,
                                         .user_data = (uintptr_t)&r};
    if (op == IORING_OP_FSYNC)
        ring.sqes[i].fsync_flags = IORING_FSYNC_DATASYNC, ring.sqes[i].off = 0;
    ring.sq_array[i] = i;
    __atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
    syscall(SYS_io_uring_enter, ring.fd, 1, 0, 0, NULL, 0);
    int got = ring_reap(done, 64);
    ring_unlock();
    ring_wake(done, got);
    wg_wait(&r.wg);
    return r.result;
}

static void ring_reaper(void)
{
    rn_conn *event;
    uint64_t count;
    struct request *done[256];
    if (rn_conn_of_fd(ring.event, &event) != 0)
        abort();
    while (net_read(event, &count, sizeof count) > 0) {
        ring_lock();
        int n = ring_reap(done, 256);
        ring_unlock();
        ring_wake(done, n);
    }
}

/* ---- one operation ----------------------------------------------------------------------------------- */

static bool is(const char *name)
{
    return strcmp(way, name) == 0;
}

static void read_block(char *buf, long page)
{
    long at = page * BLOCK, got;
    if (is("runnel")) {
        got = file_pread(data_file, buf, BLOCK, at);
    } else if (is("uring")) {
        got = ring_do(IORING_OP_READ, data_fd, buf, BLOCK, at);
    } else {
        if (is("handed"))
            rn_blocking_enter();
        got = pread(data_fd, buf, BLOCK, at);
        if (is("handed"))
            rn_blocking_leave();
    }
    if (got != BLOCK)
        abort();
}

static void sync_block(const char *buf, int fd, rn_file *f, long i)
{
    int err;
    if (pwrite(fd, buf, BLOCK, i % 64 * BLOCK) != BLOCK)
        abort();
    if (is("runnel")) {
        err = file_datasync(f);
    } else if (is("uring")) {
        err = ring_do(IORING_OP_FSYNC, fd, NULL, 0, 0);
    } else {
        if (is("handed"))
            rn_blocking_enter();
        err = fdatasync(fd);
        if (is("handed"))
            rn_blocking_leave();
    }
    if (err)
        abort();
}

static void work(int id)
{
    char *buf = aligned_alloc(BLOCK, BLOCK);
    memset(buf, id, BLOCK);
    if (strcmp(what, "sync") == 0) {
        char name[4200];
        rn_file *f;
        snprintf(name, sizeof name, "%s.%d", path, id);
        int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || rn_file_of_fd(dup(fd), &f) != 0)
            abort();
        for (long i = 0; i < rounds; i++)
            sync_block(buf, fd, f, i);
        file_free(f);
        close(fd);
        unlink(name);
    } else {
        bool hot = strcmp(what, "hot") == 0;
        for (long i = 0; i < rounds; i++) /* cold: each page once, spread over the file */
            read_block(buf, hot ? (id * 37 + i * 101) % HOT_PAGES : ((id * rounds + i) * 40503L) % PAGES);
    }
    free(buf);
}

/* ---- all of them ------------------------------------------------------------------------------------- */

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu(void)
{
    return seconds(CLOCK_PROCESS_CPUTIME_ID);
}

static void *thread(void *id)
{
    work((int)(intptr_t)id);
    return NULL;
}

static void by_threads(void)
{
    pthread_t t[AT_ONCE];
    for (intptr_t i = 0; i < AT_ONCE; i++)
        pthread_create(&t[i], NULL, thread, (void *)i);
    for (int i = 0; i < AT_ONCE; i++)
        pthread_join(t[i], NULL);
}

static void by_goroutines(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < AT_ONCE; i++)
        wg_go(&wg, work, i);
    wg_wait(&wg);
}

static void prepare(void)
{
    static char block[1 << 20];
    data_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (data_fd < 0 || rn_file_of_fd(dup(data_fd), &data_file) != 0)
        abort();
    if (lseek(data_fd, 0, SEEK_END) < (off_t)PAGES * BLOCK)
        for (int i = 0; i < PAGES / 256; i++)
            if (pwrite(data_fd, block, sizeof block, (off_t)i * (off_t)sizeof block) < 0)
                abort();
    fsync(data_fd);
    if (strcmp(what, "hot") == 0) {
        for (int i = 0; i < HOT_PAGES / 256; i++)
            if (pread(data_fd, block, sizeof block, (off_t)i * (off_t)sizeof block) < 0)
                abort();
    } else {
        posix_fadvise(data_fd, 0, 0, POSIX_FADV_DONTNEED);
        posix_fadvise(data_fd, 0, 0, POSIX_FADV_RANDOM);
    }
}

int rn_main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    way = argv[1];
    what = argv[2];
    snprintf(path, sizeof path, "%s/runnel-bench-files", argc > 3 ? argv[3] : "/tmp");
    rounds = strcmp(what, "hot") == 0 ? 10000 : strcmp(what, "cold") == 0 ? 300 : 30;
    prepare();
    if (is("uring")) {
        ring_open();
        go(ring_reaper);
    }
    double begin = seconds(CLOCK_MONOTONIC), used = cpu();
    if (is("threads"))
        by_threads();
    else
        by_goroutines();
    double time = seconds(CLOCK_MONOTONIC) - begin, n = (double)(AT_ONCE * rounds);
    printf("%s %s procs=%d: %.0f/s, %.2f us CPU each\n", what, way, rn_procs(), n / time, (cpu() - used) * 1e6 / n);
    return 0;
}
