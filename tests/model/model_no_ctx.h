/* For tests without contexts: a wait with one is an error. */
#ifndef RN_MODEL_NO_CTX_H
#define RN_MODEL_NO_CTX_H

#include "chan/wait.h"
#include "engine/model.h"

int rn__wait_ctx(struct rn_waiter *w, rn_context *ctx, enum rn_wait why, const void *what)
{
    (void)w, (void)ctx, (void)why, (void)what;
    model_fail("rn__wait_ctx");
}

#endif
