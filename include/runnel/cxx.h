/* runnel/cxx.h: go and its relatives for C++17 and newer, where the C macros' way (a call through
 * the static-chain register) does not exist.  Included by the headers that need it.
 *
 *     rn_go([&] { … });                 // lambdas too
 *     rn_go(worker, 3, jobs);           // decays and copies its arguments, as std::thread does
 *     rn_go(&pool::work, &p, 3);        // p.work(3)
 *
 * The function and its arguments are moved into one allocation, which the goroutine frees when it
 * ends.  A C++ exception that leaves the function ends the program (std::terminate); a panic and
 * rn_exit_goroutine run deferred calls, not destructors.
 *
 * Exceptions belong to the goroutine: it may wait in a catch block, or in a destructor that an exception runs, continue
 * on another thread, and `throw;` from there.  (Not in a program in C that loads the C++ runtime by dlopen.)
 */
#ifndef RUNNEL_CXX_H
#define RUNNEL_CXX_H

#ifdef __cplusplus
#include <runnel/go.h>
#include <functional>
#include <memory>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

/* Of runnel/waitgroup.h, group.h and scope.h, which include this file through go.h. */
extern "C" {
struct rn_waitgroup;
struct rn_group;
struct rn_scope;
RN_PUBLIC void rn_wg_add(struct rn_waitgroup *wg, int n);
RN_PUBLIC bool rn__wg_ended(void *wg, enum rn_ended how, intptr_t result, struct rn_panic *panic);
RN_PUBLIC void rn__wg_go_failed(struct rn_waitgroup *wg, int err);
RN_PUBLIC bool rn__group_enter(struct rn_group *g, bool wait);
RN_PUBLIC bool rn__group_ended(void *g, enum rn_ended how, intptr_t result, struct rn_panic *panic);
RN_PUBLIC void rn__group_go_failed(struct rn_group *g, int err);
RN_PUBLIC struct rn_go_call rn__scope_call(struct rn_scope *s, bool is_void, bool wait);
RN_PUBLIC void rn__scope_not_started(struct rn_go_call *call);
}

/* Part of who uses it, also without optimisation: then a goroutine's starter is known by the program's own line. */
#define RN__CXX_PART __attribute__((always_inline)) inline

namespace rn_cxx
{

template <class... Call> struct started {
    std::tuple<Call...> call;
    template <class... Given> explicit started(Given &&...given) : call(std::forward<Given>(given)...)
    {
    }
};

template <class F, class... Args> using result = std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...>;

template <class Started> void destroy(void *p)
{
    delete static_cast<Started *>(p);
}

/* std::apply and std::invoke would each put functions of their own into every goroutine's trace. */
template <class F, class... Args> RN__CXX_PART decltype(auto) call_one(F &f, Args &...args)
{
    if constexpr (std::is_member_pointer_v<F>)
        return std::invoke(f, std::move(args)...);
    else
        return std::move(f)(std::move(args)...);
}

template <class Tuple, std::size_t... I> RN__CXX_PART decltype(auto) call_each(Tuple &call, std::index_sequence<I...>)
{
    return call_one(std::get<I>(call)...);
}

template <class Started> intptr_t run(void *p)
{
    auto *s = static_cast<Started *>(p);
    RN__AT_END(rn_end_, destroy<Started>, p); /* also at a panic and rn_exit_goroutine */
    constexpr std::make_index_sequence<std::tuple_size_v<decltype(s->call)>> all{};
    if constexpr (std::is_integral_v<decltype(call_each(s->call, all))>) {
        return static_cast<intptr_t>(call_each(s->call, all));
    } else {
        call_each(s->call, all);
        return 0;
    }
}

/* Starts f(args…) as `call` says; returns whether f returns void. */
template <class F, class... Args> RN__CXX_PART bool start(rn_go_call &call, F &&f, Args &&...args)
{
    using Started = started<std::decay_t<F>, std::decay_t<Args>...>;
    auto *s = new (std::nothrow) Started(std::forward<F>(f), std::forward<Args>(args)...);
    if (!s) {
        if (!call.try_)
            rn_panic("go: out of memory for the function's arguments");
        call.err = RN_ENOMEM;
        return std::is_void_v<result<F, Args...>>;
    }
    rn__go_one(&call, run<Started>, s);
    if (call.err)
        delete s;
    return std::is_void_v<result<F, Args...>>;
}

template <class F, class... Args> RN__CXX_PART void go_(F &&f, Args &&...args)
{
    rn_go_call call{};
    start(call, std::forward<F>(f), std::forward<Args>(args)...);
}

template <class F, class... Args> RN__CXX_PART int go_try_(F &&f, Args &&...args)
{
    rn_go_call call{};
    call.try_ = true;
    start(call, std::forward<F>(f), std::forward<Args>(args)...);
    return call.err;
}

template <class F, class... Args> int run_main(F &&f, Args &&...args)
{
    rn_go_call call{};
    rn__run_prepare(&call);
    bool is_void = start(call, std::forward<F>(f), std::forward<Args>(args)...);
    int status = rn__run_wait(&call);
    return is_void ? 0 : status;
}

template <class F, class... Args> RN__CXX_PART void wg_go_(struct rn_waitgroup *wg, F &&f, Args &&...args)
{
    rn_go_call call{};
    call.ended = rn__wg_ended;
    call.owner = wg;
    call.try_ = true;
    rn_wg_add(wg, 1);
    start(call, std::forward<F>(f), std::forward<Args>(args)...);
    if (call.err)
        rn__wg_go_failed(wg, call.err);
}

template <class F, class... Args> RN__CXX_PART bool group_go_(bool wait, struct rn_group *g, F &&f, Args &&...args)
{
    static_assert(std::is_same_v<result<F, Args...>, int>, "group_go: the function must return int: 0, or an error");
    if (!rn__group_enter(g, wait))
        return false;
    rn_go_call call{};
    call.ended = rn__group_ended;
    call.owner = g;
    call.try_ = true;
    start(call, std::forward<F>(f), std::forward<Args>(args)...);
    if (call.err)
        rn__group_go_failed(g, call.err);
    return true;
}

template <class F, class... Args> RN__CXX_PART int scope_go_(bool wait, struct rn_scope *s, F &&f, Args &&...args)
{
    using R = result<F, Args...>;
    static_assert(std::is_same_v<R, int> || std::is_void_v<R>,
                  "scope_go: the function must return int (0 or an error) or void");
    rn_go_call call = rn__scope_call(s, std::is_void_v<R>, wait);
    if (!call.err) {
        start(call, std::forward<F>(f), std::forward<Args>(args)...);
        if (call.err)
            rn__scope_not_started(&call);
    }
    return call.err;
}

} // namespace rn_cxx

/* All arguments as one `...`: so a lambda with commas in it may use the same macro again. */
#define rn_go(...) ::rn_cxx::go_(__VA_ARGS__)
#define rn_go_try(...) ::rn_cxx::go_try_(__VA_ARGS__)
#define rn_run(...) ::rn_cxx::run_main(__VA_ARGS__)
#define rn_wg_go(...) ::rn_cxx::wg_go_(__VA_ARGS__)
#define rn_group_go(...) ((void)::rn_cxx::group_go_(true, __VA_ARGS__))
#define rn_group_try_go(...) ::rn_cxx::group_go_(false, __VA_ARGS__)
#define rn_scope_go(...) ((void)::rn_cxx::scope_go_(true, __VA_ARGS__))
#define rn_scope_try_go(...) ::rn_cxx::scope_go_(false, __VA_ARGS__)

#ifndef RN_NO_SHORT_NAMES
#define wg_go(...) rn_wg_go(__VA_ARGS__)
#define group_go(...) rn_group_go(__VA_ARGS__)
#define group_try_go(...) rn_group_try_go(__VA_ARGS__)
#define scope_go(...) rn_scope_go(__VA_ARGS__)
#define scope_try_go(...) rn_scope_try_go(__VA_ARGS__)
#endif

#endif
#endif
