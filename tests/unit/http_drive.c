/* An HTTP client's driver wakes no worker for itself when it has nothing to do. */
#include "sched/rt.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <runnel.h>
#include <runnel/http.h>
#include <runnel/test.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static bool one_is_idle(void)
{
    /* relaxed, both: the test's own processor stays, and the other one is stopped or not. */
    return rn_load_relaxed(&rn__sched.idle_p_n) == 1 && rn_load_relaxed(&rn__sched.spinning_n) == 0;
}

/* A server in a thread that sends a byte of the body each time that it is asked. */
enum { BYTES = 300 };
static struct {
    int fd;
    sem_t more;
} dripping;

static void *drip(void *arg)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n";
    char request[1024];
    int c = accept(dripping.fd, NULL, NULL);
    (void)arg;
    CHECK(recv(c, request, sizeof request, 0) > 0);
    CHECK(send(c, head, sizeof head - 1, 0) > 0);
    for (int i = 0; i < BYTES; i++) {
        sem_wait(&dripping.more);
        CHECK_EQ(send(c, "x", 1, 0), 1);
    }
    close(c);
    return NULL;
}

static void listen_somewhere(char *url, size_t n)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    dripping.fd = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(bind(dripping.fd, (struct sockaddr *)&a, len) == 0 && listen(dripping.fd, 1) == 0 &&
            getsockname(dripping.fd, (struct sockaddr *)&a, &len) == 0);
    sem_init(&dripping.more, 0, 0);
    snprintf(url, n, "http://127.0.0.1:%d/", ntohs(a.sin_port));
}

TEST(who_reads_a_body_runs_where_the_driver_parks)
{
    char url[64], b[1];
    http_response res = {0};
    pthread_t t;
    int kept = 0;
    rn_set_procs(2);
    listen_somewhere(url, sizeof url);
    REQUIRE(pthread_create(&t, NULL, drip, NULL) == 0);
    REQUIRE(http_open(NULL, &(http_client_request){.url = url}, &res) == 0);
    for (int i = 0; i < BYTES; i++) {
        sem_post(&dripping.more);
        CHECK_EQ(http_body_read(&res, b, 1), 1);
        kept += one_is_idle();
    }
    http_response_free(&res);
    pthread_join(t, NULL);
    close(dripping.fd);
    CHECK(kept >= BYTES / 2); /* few, where the driver yields */
}
