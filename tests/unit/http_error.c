/* libcurl's results as errors. */
#include "http/client.h"
#include <errno.h>
#include <runnel/test.h>

TEST(what_the_system_says)
{
    CHECK_EQ(rn__http_error(CURLE_COULDNT_CONNECT, EHOSTUNREACH), -EHOSTUNREACH);
    CHECK_EQ(rn__http_error(CURLE_COULDNT_CONNECT, 0), -ECONNREFUSED);
    CHECK_EQ(rn__http_error(CURLE_SEND_ERROR, EPIPE), -EPIPE);
    CHECK_EQ(rn__http_error(CURLE_RECV_ERROR, ECONNRESET), -ECONNRESET);
    CHECK_EQ(rn__http_error(CURLE_RECV_ERROR, 0), RN_EPROTO);
    /* A connection with TLS that was reset: libcurl says goodbye on it before it tells. */
    CHECK_EQ(rn__http_error(CURLE_RECV_ERROR, EPIPE), -ECONNRESET);
}
