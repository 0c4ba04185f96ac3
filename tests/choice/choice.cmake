# The library once more, with the table of choices (src/sched/choice.h), and its test.
add_library(runnel_choice STATIC EXCLUDE_FROM_ALL ${RUNNEL_SOURCES})
runnel_library(runnel_choice)
set_target_properties(runnel_choice PROPERTIES OUTPUT_NAME runnel-choice)
target_compile_definitions(runnel_choice PUBLIC RN_CHOICE_TABLE=1)

if(RUNNEL_RACE) # the scheduler calls its functions from all threads, under locks that the detector does not see
    return()
endif()
add_executable(test-choice EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/choice.c)
target_link_libraries(test-choice PRIVATE runnel_flags runnel_choice)
target_include_directories(test-choice PRIVATE ${PROJECT_SOURCE_DIR}/src)
runnel_register_test(choice choice test-choice)
