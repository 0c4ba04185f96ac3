/* Connects to 127.0.0.1:PORT, waits for a byte, and sends one N times, about a millisecond apart.
 * Usage: latency_ticker PORT N.  Without runnel: a peer that no scheduler under test runs. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (argc != 3)
        return 2;
    a.sin_port = htons((uint16_t)atoi(argv[1]));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (void *)&a, sizeof a) < 0) {
        perror("connect");
        return 1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    char begin;
    if (read(fd, &begin, 1) != 1)
        return 1;
    for (int n = atoi(argv[2]); n > 0; n--) {
        struct timespec pause = {.tv_nsec = 1000000};
        nanosleep(&pause, NULL);
        if (write(fd, "t", 1) != 1)
            return 1;
    }
    return 0;
}
