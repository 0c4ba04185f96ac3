#include "http/conn.h"
void rn__http2_serve(struct rn__http_conn *c, const char *first, size_t n)
{
    (void)c, (void)first, (void)n;
}
