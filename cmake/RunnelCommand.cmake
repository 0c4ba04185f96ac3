# The command `runnel`, and beside it the file by which it knows that it stands in a build tree.
file(GLOB RUNNEL_TOOL_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/*.c)
if(RUNNEL_TOOL_SOURCES)
    # A command that was built for another machine, or with a sanitizer, would be of no use.
    add_executable(runnel ${RUNNEL_TOOL_SOURCES})
    target_compile_features(runnel PRIVATE c_std_11)
    target_compile_options(runnel PRIVATE -std=gnu11 -Wall -Wextra $<$<BOOL:${RUNNEL_WERROR}>:-Werror>)
    target_compile_definitions(runnel PRIVATE
        RN_VERSION="${PROJECT_VERSION}"
        RN_LIBDIR="${CMAKE_INSTALL_LIBDIR}"
        RN_HTTP_LIBS="${RUNNEL_HTTP_LIBS}"
        RN_INCLUDEDIR="${CMAKE_INSTALL_INCLUDEDIR}")
endif()
# What ./runnel needs: the command and what it links programs with.
add_custom_target(kit DEPENDS runnel_static)
foreach(part runnel runnel_http_static)
    if(TARGET ${part})
        add_dependencies(kit ${part})
    endif()
endforeach()
file(WRITE ${PROJECT_BINARY_DIR}/source-tree ${PROJECT_SOURCE_DIR})
