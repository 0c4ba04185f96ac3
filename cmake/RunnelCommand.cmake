# The command `runnel`, and beside it the file by which it knows that it stands in a build tree.
file(GLOB RUNNEL_TOOL_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/*.c)
if(RUNNEL_TOOL_SOURCES)
    # A command that was built for another machine, or with a sanitizer, would be of no use.
    add_executable(runnel ${RUNNEL_TOOL_SOURCES})
    target_compile_features(runnel PRIVATE c_std_11)
    target_compile_options(runnel PRIVATE -std=gnu11 ${RUNNEL_WARNINGS} $<$<BOOL:${RUNNEL_WERROR}>:-Werror>)
    target_compile_definitions(runnel PRIVATE
        RN_VERSION="${PROJECT_VERSION}"
        RN_LIBDIR="${CMAKE_INSTALL_LIBDIR}"
        RN_HTTP_LIBS="${RUNNEL_HTTP_LIBS}"
        RN_LIBEXECDIR="${CMAKE_INSTALL_LIBEXECDIR}"
        RN_INCLUDEDIR="${CMAKE_INSTALL_INCLUDEDIR}")
endif()
# What ./runnel needs: the command and what it links programs with.
if(PROJECT_IS_TOP_LEVEL)
    add_custom_target(kit DEPENDS runnel_static)
    foreach(part runnel runnel_http_static)
        if(TARGET ${part})
            add_dependencies(kit ${part})
        endif()
    endforeach()
endif()
file(WRITE ${PROJECT_BINARY_DIR}/source-tree ${PROJECT_SOURCE_DIR})

# What `runnel vet` runs: a program of its own, so that only it needs libclang (Debian: libclang-dev).  The
# newest one that there is; without any, ./runnel installs it when `vet` is first asked for.
file(GLOB RUNNEL_LLVM_DIRS /usr/lib/llvm-*)
list(SORT RUNNEL_LLVM_DIRS COMPARE NATURAL ORDER DESCENDING)
find_path(RUNNEL_LIBCLANG_INCLUDE clang-c/Index.h HINTS ${RUNNEL_LLVM_DIRS} PATH_SUFFIXES include)
find_library(RUNNEL_LIBCLANG NAMES clang libclang.so.1 HINTS ${RUNNEL_LLVM_DIRS} PATH_SUFFIXES lib)
if(RUNNEL_LIBCLANG AND RUNNEL_LIBCLANG_INCLUDE AND RUNNEL_TOOL_SOURCES AND NOT CMAKE_CROSSCOMPILING)
    file(GLOB RUNNEL_VET_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/vet/*.c)
    add_executable(runnel-vet ${RUNNEL_VET_SOURCES} ${PROJECT_SOURCE_DIR}/tools/util.c)
    target_compile_options(runnel-vet PRIVATE -std=gnu11 ${RUNNEL_WARNINGS} $<$<BOOL:${RUNNEL_WERROR}>:-Werror>)
    target_include_directories(runnel-vet SYSTEM PRIVATE ${RUNNEL_LIBCLANG_INCLUDE})
    target_link_libraries(runnel-vet PRIVATE ${RUNNEL_LIBCLANG})
endif()
