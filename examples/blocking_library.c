/* A library that knows nothing of goroutines, and blocks in the kernel until the answer is there, as libpq
 * and most clients of databases do: 100 goroutines use it, a connection each, and then 100 threads do the same.
 *
 * While a call blocks, its goroutine keeps a thread, so there are about as many threads either way: what the
 * program gains is that all its other goroutines go on, and that it is written in one way throughout.  Somebody
 * has to notice that a call blocks, which takes some ten microseconds, unless the caller says so beforehand. */
#include <pthread.h>
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 100, QUERIES = 50 };

/* ---- the library: plain sockets and threads ------------------------------------------------------------ */

struct db {
    int fd, server;
    pthread_t thread;
};

static void *serve(void *arg)
{
    struct db *db = arg;
    long n;
    while (read(db->server, &n, sizeof n) == sizeof n) {
        struct timespec work = {.tv_nsec = 1000000}; /* the disk, the network */
        nanosleep(&work, NULL);
        n = n * n;
        if (write(db->server, &n, sizeof n) != sizeof n)
            break;
    }
    return NULL;
}

static void db_open(struct db *db)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) {
        perror("socketpair");
        exit(1);
    }
    db->fd = fds[0];
    db->server = fds[1];
    if (pthread_create(&db->thread, NULL, serve, db) != 0) {
        fprintf(stderr, "can't start a thread\n");
        exit(1);
    }
}

/* Blocks until the answer is there. */
static long db_square(struct db *db, long n)
{
    if (write(db->fd, &n, sizeof n) != sizeof n || read(db->fd, &n, sizeof n) != sizeof n)
        return -1;
    return n;
}

static void db_close(struct db *db)
{
    shutdown(db->fd, SHUT_RDWR);
    pthread_join(db->thread, NULL);
    close(db->fd);
    close(db->server);
}

/* ---- 100 clients ------------------------------------------------------------------------------------- */

static struct db dbs[CLIENTS];
static rn_atomic_int64 sum;

static void query(struct db *db)
{
    for (long n = 1; n <= QUERIES; n++)
        rn_atomic_add(&sum, db_square(db, n));
}

static void query_announced(struct db *db)
{
    for (long n = 1; n <= QUERIES; n++) {
        rn_blocking_enter();
        long square = db_square(db, n);
        rn_blocking_leave();
        rn_atomic_add(&sum, square);
    }
}

static void by_goroutines(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < CLIENTS; i++)
        wg_go(&wg, query, &dbs[i]);
    wg_wait(&wg);
}

static void announced(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < CLIENTS; i++)
        wg_go(&wg, query_announced, &dbs[i]);
    wg_wait(&wg);
}

static void *query_on_thread(void *arg)
{
    query(arg);
    return NULL;
}

static void by_threads(void)
{
    pthread_t threads[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        if (pthread_create(&threads[i], NULL, query_on_thread, &dbs[i]) != 0)
            exit(1);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
}

static double cpu_ms(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static void measure(const char *name, void (*f)(void))
{
    rn_atomic_store(&sum, 0);
    rn_time start = rn_now();
    double cpu = cpu_ms();
    f();
    double ms = (double)(rn_now() - start) / RN_MILLISECOND, calls = CLIENTS * QUERIES;
    cpu = cpu_ms() - cpu;
    printf("%s: sum %ld; %.0f ms, %.1f us of processor time a call\n", name, (long)rn_atomic_load(&sum), ms,
           cpu * 1e3 / calls);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (int i = 0; i < CLIENTS; i++)
        db_open(&dbs[i]);
    measure("100 goroutines", by_goroutines);
    measure("100 goroutines that say so", announced);
    measure("100 threads", by_threads);
    for (int i = 0; i < CLIENTS; i++)
        db_close(&dbs[i]);
    return 0;
}
