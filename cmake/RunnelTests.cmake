# The tests: every tests/<kind>/<name>.c is one program, <build>/tests/<kind>/<name>; every
# tests/<kind>/<name>.sh is run as it is.  <build>/tests.list names them for `runnel test`, one
# "kind/name path" per line.  The target `tests` builds them all, `tests-<kind>` those of a kind.
enable_testing()
add_custom_target(tests)
foreach(kind unit conformance stress race fault cxx model choice)
    add_custom_target(tests-${kind})
    add_dependencies(tests tests-${kind})
endforeach()

# Whether a source includes a header of the HTTP library, public or inner.
function(runnel_uses_http result)
    set(${result} OFF PARENT_SCOPE)
    foreach(source ${ARGN})
        file(STRINGS ${source} found REGEX "^#include [<\"](runnel/(http|websocket)|(../)?http/)" LIMIT_COUNT 1)
        if(found)
            set(${result} ON PARENT_SCOPE)
        endif()
    endforeach()
endfunction()

# runnel_add_test(kind name sources…): a test program, linked with the static library; none where it
# needs the HTTP library and that is not built.
function(runnel_add_test kind name)
    runnel_uses_http(http ${ARGN})
    if(http AND NOT RUNNEL_HTTP_FOUND)
        return()
    endif()
    set(target test-${kind}-${name})
    add_executable(${target} EXCLUDE_FROM_ALL ${ARGN})
    target_link_libraries(${target} PRIVATE runnel_flags)
    if(http)
        target_link_libraries(${target} PRIVATE runnel_http_static OpenSSL::SSL)
    endif()
    target_link_libraries(${target} PRIVATE runnel_static)
    # Not for C++: its own headers would find src/debug before theirs.
    target_include_directories(${target} PRIVATE $<$<COMPILE_LANGUAGE:C>:${PROJECT_SOURCE_DIR}/src>)
    runnel_register_test(${kind} ${name} ${target})
endfunction()

# runnel_register_test(kind name target): a program that prints TAP.
function(runnel_register_test kind name target)
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/${kind})
    add_dependencies(tests-${kind} ${target})
    add_test(NAME ${kind}/${name} COMMAND ${target})
    set_property(GLOBAL APPEND_STRING PROPERTY RUNNEL_TEST_LIST "${kind}/${name} $<TARGET_FILE:${target}>\n")
endfunction()

set(kinds unit conformance stress)
if(RUNNEL_RACE)
    list(APPEND kinds race)
    # As `runnel run -race` compiles: tools/compile.c.
    set_source_files_properties(${PROJECT_SOURCE_DIR}/tests/race/places.c PROPERTIES
        COMPILE_OPTIONS "-O0;-mllvm;-capture-tracking-max-uses-to-explore=0")
endif()
if(RUNNEL_FAULT)
    list(APPEND kinds fault)
endif()
foreach(kind ${kinds})
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${kind}/*.c)
    foreach(source ${sources})
        get_filename_component(name ${source} NAME_WE)
        runnel_add_test(${kind} ${name} ${source})
    endforeach()
endforeach()
# gcc marks it so by itself; the linker would warn of that.
target_link_options(test-unit-nested PRIVATE $<$<C_COMPILER_ID:GNU>:-Wl,-z,execstack>)

# C++ programs, where there is a compiler for them.
include(CheckLanguage)
check_language(CXX)
if(CMAKE_CXX_COMPILER)
    enable_language(CXX)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/cxx/*.cc)
    foreach(source ${sources})
        get_filename_component(name ${source} NAME_WE)
        runnel_add_test(cxx ${name} ${source})
    endforeach()
endif()

file(GLOB scripts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/*/*.sh)
foreach(script ${scripts})
    get_filename_component(name ${script} NAME_WE)
    get_filename_component(dir ${script} DIRECTORY)
    get_filename_component(kind ${dir} NAME)
    add_test(NAME ${kind}/${name} COMMAND ${script})
    set_property(GLOBAL APPEND_STRING PROPERTY RUNNEL_TEST_LIST "${kind}/${name} ${script}\n")
endforeach()

include(${PROJECT_SOURCE_DIR}/tests/model/model.cmake OPTIONAL)
include(${PROJECT_SOURCE_DIR}/tests/choice/choice.cmake)

get_property(list GLOBAL PROPERTY RUNNEL_TEST_LIST)
file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/tests.list CONTENT "${list}")
