# The flags of every target of the project: `runnel_flags`, an interface library.
if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Kind of build" FORCE)
endif()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    set(RUNNEL_ARCH x86_64)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    set(RUNNEL_ARCH aarch64)
else()
    message(FATAL_ERROR "runnel runs on x86-64 and aarch64, not on ${CMAKE_SYSTEM_PROCESSOR}")
endif()
if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
    message(FATAL_ERROR "runnel runs on Linux, not on ${CMAKE_SYSTEM_NAME}")
endif()

# In another project its warnings, such as those of -Wpedantic -Werror, are for its own files: ours are GNU C.  And files are
# compiled one by one there, too: each has static names of its own.
# What no header declares is of a layer above, or misspelt: an error, as in clang 16 and gcc 14, also of those that others build.
set(RUNNEL_WARNINGS -Wall -Wextra -Werror=implicit-function-declaration)
if(NOT PROJECT_IS_TOP_LEVEL)
    set(RUNNEL_WARNINGS -w)
endif()
set(CMAKE_UNITY_BUILD OFF)

add_library(runnel_flags INTERFACE)
target_compile_features(runnel_flags INTERFACE c_std_11)
# Unwind tables: panics and backtraces of goroutines need them.
target_compile_options(runnel_flags INTERFACE
    $<$<COMPILE_LANGUAGE:C>:-std=gnu11 ${RUNNEL_WARNINGS} -fasynchronous-unwind-tables>)
# Records are made all zero in the hottest paths.  For more than 32 bytes gcc's choice is `rep stosq`, which takes longer to
# start (10 ns on an EPYC) than all of them to write by vectors.
if(RUNNEL_ARCH STREQUAL x86_64 AND CMAKE_C_COMPILER_ID STREQUAL GNU)
    target_compile_options(runnel_flags INTERFACE
        $<$<COMPILE_LANGUAGE:C>:-mmemset-strategy=vector_loop:1024:noalign,libcall:-1:noalign>)
endif()
target_compile_options(runnel_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-std=c++17 ${RUNNEL_WARNINGS}>)
target_link_options(runnel_flags INTERFACE -pthread)
target_compile_options(runnel_flags INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-pthread>)
if(RUNNEL_WERROR)
    target_compile_options(runnel_flags INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-Werror>)
endif()
if(RUNNEL_DEBUG)
    target_compile_definitions(runnel_flags INTERFACE RN_DEBUG=1)
endif()
if(RUNNEL_FAULT)
    target_compile_definitions(runnel_flags INTERFACE RN_FAULT=1)
endif()
if(RUNNEL_RACE)
    target_compile_definitions(runnel_flags INTERFACE RN_RACE=1)
endif()
if(RUNNEL_EXPLORE)
    target_compile_definitions(runnel_flags INTERFACE RN_EXPLORE=1)
endif()
if(RUNNEL_SANITIZE)
    target_compile_options(runnel_flags INTERFACE -fsanitize=${RUNNEL_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(runnel_flags INTERFACE -fsanitize=${RUNNEL_SANITIZE})
endif()
