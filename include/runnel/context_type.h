/* runnel/context_type.h: the name of the context type, for headers that take one. */
#ifndef RUNNEL_CONTEXT_TYPE_H
#define RUNNEL_CONTEXT_TYPE_H
typedef struct rn_context rn_context;
#endif
