# Model tests: tests/model/<name>.c, each one program with the real source of the part under test,
# compiled with RN_MODEL, and the engine.
#
# -fsanitize=thread makes the compiler announce every plain access; the engine answers the calls, and
# ThreadSanitizer's runtime is not linked.  It does not go with another sanitizer: then the tests run
# without the detection of races between plain accesses, and mutants that need it are left out.
file(GLOB engine CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/engine/*.c)
file(GLOB models CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)

add_library(model_engine STATIC EXCLUDE_FROM_ALL ${engine})
target_include_directories(model_engine PUBLIC ${CMAKE_CURRENT_LIST_DIR} ${CMAKE_CURRENT_LIST_DIR}/engine
    ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(model_engine PUBLIC RN_MODEL=1)
target_compile_options(model_engine PUBLIC -std=gnu11 -Wall -Wextra $<$<BOOL:${RUNNEL_WERROR}>:-Werror> PRIVATE -O2)
if(RUNNEL_SANITIZE AND NOT RUNNEL_SANITIZE STREQUAL "thread")
    target_compile_options(model_engine PUBLIC -fsanitize=${RUNNEL_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(model_engine PUBLIC -fsanitize=${RUNNEL_SANITIZE})
endif()

foreach(source ${models})
    get_filename_component(name ${source} NAME_WE)
    set(target test-model-${name})
    add_executable(${target} EXCLUDE_FROM_ALL ${source})
    target_link_libraries(${target} PRIVATE model_engine)
    if(NOT RUNNEL_SANITIZE OR RUNNEL_SANITIZE STREQUAL "thread")
        target_compile_options(${target} PRIVATE -fsanitize=thread)
    endif()
    runnel_register_test(model ${name} ${target})
endforeach()
