/* libcurl's results as runnel's errors. */
#include "http/client.h"
#include <errno.h>

/* What the system said wins where libcurl only says that it did not work. */
static int system_or(long os_errno, int otherwise)
{
    return os_errno > 0 && os_errno < 4096 ? -(int)os_errno : otherwise;
}

int rn__http_error(CURLcode code, long os_errno)
{
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_URL_MALFORMAT:
        return RN_EURL;
    case CURLE_COULDNT_RESOLVE_HOST:
        return RN_ENOHOST;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
        return RN_EPROXY;
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
        return system_or(os_errno, -ECONNREFUSED);
    case CURLE_OUT_OF_MEMORY:
        return RN_ENOMEM;
#if LIBCURL_VERSION_NUM >= 0x080600
    case CURLE_TOO_LARGE:
        return RN_ETOOBIG;
#endif
    case CURLE_OPERATION_TIMEDOUT:
        return RN_ETIMEOUT;
    case CURLE_RECV_ERROR:     /* also what libcurl can't make out: chunks, too many headers */
        if (os_errno == EPIPE) /* of TLS's goodbye, which came after the reset */
            return -ECONNRESET;
        return system_or(os_errno, RN_EPROTO);
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
        return system_or(os_errno, -ECONNRESET);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_ENGINE_INITFAILED:
        return RN_ETLS;
    default: /* the peer broke off, or said what HTTP does not allow */
        return RN_EPROTO;
    }
}
