# librunnel.a and librunnel.so from the same sources; librunnel_pic.a from the objects of the second.
#
# The two are compiled apart: the static one without -fPIC, since thread-local state is reached by
# one instruction there.  So it can't be part of a shared object; librunnel_pic.a can (a plugin, a module of Python …),
# and costs no compilation.  It must not be seen outside of that object, or another copy in the process would be taken for it in
# parts: --exclude-libs.  In the static library `main` is a member that the linker takes only when
# the program has none; the shared one defines RN_SHARED, which makes its reference to rn_main weak.
file(GLOB RUNNEL_SOURCES CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/src/*/*.c
    ${PROJECT_SOURCE_DIR}/src/os/linux/*.c
    ${PROJECT_SOURCE_DIR}/src/arch/${RUNNEL_ARCH}/*.c
    ${PROJECT_SOURCE_DIR}/src/arch/${RUNNEL_ARCH}/*.S)
list(FILTER RUNNEL_SOURCES EXCLUDE REGEX "/src/http/") # a library of its own: RunnelHttp.cmake
if(RUNNEL_RACE)
    # What the library orders by its own locks and queues, seen by the detector, would hide the races of
    # programs.  What it orders on their behalf it says itself (src/base/race.h).
    set(quiet ${RUNNEL_SOURCES})
    list(FILTER quiet INCLUDE REGEX "\\.c$")
    set_source_files_properties(${quiet} PROPERTIES
        COMPILE_OPTIONS "-fno-sanitize=thread;-include;${PROJECT_SOURCE_DIR}/src/base/race_libc.h")
endif()

if(RUNNEL_SANITIZE)
    # They look through memory that is not theirs, in a copy of the process, and with threads stopped that may hold
    # the sanitizer's own locks.
    set(lookers ${RUNNEL_SOURCES})
    list(FILTER lookers INCLUDE REGEX "/(leaks_mark|leaks_memory|world)\\.c$")
    set_source_files_properties(${lookers} PROPERTIES COMPILE_OPTIONS -fno-sanitize=all)
endif()

function(runnel_library target)
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:runnel_flags>)
    # The unwinder finds functions by this header, which gcc leaves out of static programs.
    target_link_options(${target} INTERFACE -pthread -Wl,--eh-frame-hdr)
    target_include_directories(${target}
        PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
        PRIVATE ${PROJECT_SOURCE_DIR}/src)
    target_compile_definitions(${target} PRIVATE RN_VERSION="${PROJECT_VERSION}")
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME runnel C_VISIBILITY_PRESET hidden C_EXTENSIONS ON)
endfunction()

add_library(runnel_static STATIC ${RUNNEL_SOURCES})
runnel_library(runnel_static)
set_target_properties(runnel_static PROPERTIES EXPORT_NAME runnel-static)

add_library(runnel_shared SHARED ${RUNNEL_SOURCES})
runnel_library(runnel_shared)
target_compile_definitions(runnel_shared PRIVATE RN_SHARED=1)
set_target_properties(runnel_shared PROPERTIES EXPORT_NAME runnel
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
if(NOT RUNNEL_SANITIZE)
    target_link_options(runnel_shared PRIVATE -Wl,-z,defs)
endif()

# runnel_pic_library(target shared name): target is the static library name_pic of a shared one's objects.
function(runnel_pic_library target shared name)
    add_library(${target} STATIC $<TARGET_OBJECTS:${shared}>)
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE C OUTPUT_NAME ${name}_pic)
    target_link_options(${target} INTERFACE -pthread -Wl,--eh-frame-hdr -Wl,--exclude-libs,lib${name}_pic.a)
    target_include_directories(${target}
        PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endfunction()

runnel_pic_library(runnel_pic runnel_shared runnel)
set_target_properties(runnel_pic PROPERTIES EXPORT_NAME runnel-pic)

add_library(runnel::runnel ALIAS runnel_shared)
add_library(runnel::runnel-pic ALIAS runnel_pic)
add_library(runnel::runnel-static ALIAS runnel_static)
