/* Which sanitizer this file is compiled for: RN_ASAN, RN_TSAN. */
#ifndef RN_BASE_SANITIZERS_H
#define RN_BASE_SANITIZERS_H

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define RN_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define RN_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(RN_ASAN)
#define RN_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__) && !defined(RN_TSAN)
#define RN_TSAN 1
#endif

#endif
