# librunnel_http.a and librunnel_http.so: the HTTP server and client, WebSocket, TLS.
#
# A library of its own, so that the core links with libc alone.  It is built where all that it needs is
# found; RUNNEL_HTTP=ON makes it an error when something is missing, OFF leaves it out.  llhttp comes as
# C sources (Debian's node-llhttp); they are compiled into the library under names of our own, so that
# a program may use another version of it.
set(RUNNEL_HTTP AUTO CACHE STRING "Build the HTTP library: AUTO (where its dependencies are found), ON or OFF")
set(RUNNEL_HTTP_FOUND OFF)
set(RUNNEL_HTTP_LIBS "-lcurl -lnghttp2 -lwslay -lssl -lcrypto -lz")

function(runnel_http_find)
    if(NOT RUNNEL_HTTP OR (CMAKE_CROSSCOMPILING AND NOT RUNNEL_HTTP STREQUAL "ON"))
        return()
    endif()
    find_package(OpenSSL 1.1.1 QUIET)
    find_package(CURL 7.68 QUIET)
    find_package(ZLIB QUIET)
    find_path(RUNNEL_NGHTTP2_INCLUDE nghttp2/nghttp2.h)
    find_library(RUNNEL_NGHTTP2 nghttp2)
    find_path(RUNNEL_WSLAY_INCLUDE wslay/wslay.h)
    find_library(RUNNEL_WSLAY wslay)
    find_path(RUNNEL_LLHTTP_INCLUDE llhttp.h PATH_SUFFIXES llhttp HINTS /usr/share/include /usr/include)
    find_path(RUNNEL_LLHTTP_SOURCES llhttp.c PATH_SUFFIXES llhttp HINTS /usr/share)
    set(missing)
    foreach(part OPENSSL_FOUND CURL_FOUND ZLIB_FOUND RUNNEL_NGHTTP2_INCLUDE RUNNEL_NGHTTP2 RUNNEL_WSLAY_INCLUDE RUNNEL_WSLAY
            RUNNEL_LLHTTP_INCLUDE RUNNEL_LLHTTP_SOURCES)
        if(NOT ${part})
            list(APPEND missing ${part})
        endif()
    endforeach()
    if(NOT missing)
        set(RUNNEL_HTTP_FOUND ON PARENT_SCOPE)
    elseif(RUNNEL_HTTP STREQUAL "AUTO")
        message(STATUS "The HTTP library is left out; missing: ${missing}")
    else()
        message(FATAL_ERROR "The HTTP library can't be built; missing: ${missing}")
    endif()
endfunction()
runnel_http_find()
if(NOT RUNNEL_HTTP_FOUND)
    return()
endif()

# Every name of llhttp becomes rn__…
set(RUNNEL_LLHTTP_DIR ${PROJECT_BINARY_DIR}/llhttp)
function(runnel_http_rename)
    set(names)
    foreach(file ${RUNNEL_LLHTTP_SOURCES}/api.c ${RUNNEL_LLHTTP_SOURCES}/http.c ${RUNNEL_LLHTTP_SOURCES}/llhttp.c)
        file(STRINGS ${file} lines REGEX "llhttp_[a-z_0-9]+ *\\(")
        string(REGEX MATCHALL "llhttp_[a-z_0-9]+" found "${lines}")
        list(APPEND names ${found})
        list(REMOVE_DUPLICATES names)
    endforeach()
    set(text "/* llhttp under names of our own; made by cmake/RunnelHttp.cmake. */\n")
    foreach(name ${names})
        string(APPEND text "#define ${name} rn__${name}\n")
    endforeach()
    file(CONFIGURE OUTPUT ${RUNNEL_LLHTTP_DIR}/llhttp_names.h CONTENT "${text}" @ONLY)
endfunction()
runnel_http_rename()

file(GLOB RUNNEL_HTTP_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/http/*.c)
set(RUNNEL_LLHTTP_UNITS)
foreach(unit api http llhttp)
    file(CONFIGURE OUTPUT ${RUNNEL_LLHTTP_DIR}/rn_${unit}.c
        CONTENT "#include \"llhttp_names.h\"\n#include \"${RUNNEL_LLHTTP_SOURCES}/${unit}.c\"\n" @ONLY)
    list(APPEND RUNNEL_LLHTTP_UNITS ${RUNNEL_LLHTTP_DIR}/rn_${unit}.c)
endforeach()
set_source_files_properties(${RUNNEL_LLHTTP_UNITS} PROPERTIES COMPILE_OPTIONS "-w")
if(RUNNEL_RACE) # as the core, see RunnelLibrary.cmake
    set(quiet "-fno-sanitize=thread;-include;${PROJECT_SOURCE_DIR}/src/base/race_libc.h")
    set_source_files_properties(${RUNNEL_HTTP_SOURCES} PROPERTIES COMPILE_OPTIONS "${quiet}")
    set_source_files_properties(${RUNNEL_LLHTTP_UNITS} PROPERTIES COMPILE_OPTIONS "-w;${quiet}")
endif()

function(runnel_http_library target core)
    runnel_library(${target})
    target_link_libraries(${target} PUBLIC ${core}
        PRIVATE CURL::libcurl ${RUNNEL_NGHTTP2} ${RUNNEL_WSLAY} OpenSSL::SSL OpenSSL::Crypto
        ZLIB::ZLIB)
    target_include_directories(${target} PRIVATE ${RUNNEL_LLHTTP_DIR}
        ${RUNNEL_LLHTTP_INCLUDE} ${RUNNEL_NGHTTP2_INCLUDE} ${RUNNEL_WSLAY_INCLUDE})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME runnel_http)
endfunction()

add_library(runnel_http_static STATIC ${RUNNEL_HTTP_SOURCES} ${RUNNEL_LLHTTP_UNITS})
runnel_http_library(runnel_http_static runnel_static)
set_target_properties(runnel_http_static PROPERTIES EXPORT_NAME runnel-http-static)
add_library(runnel::runnel-http-static ALIAS runnel_http_static)

add_library(runnel_http_shared SHARED ${RUNNEL_HTTP_SOURCES} ${RUNNEL_LLHTTP_UNITS})
runnel_http_library(runnel_http_shared runnel_shared)
target_compile_definitions(runnel_http_shared PRIVATE RN_SHARED=1)
set_target_properties(runnel_http_shared PROPERTIES EXPORT_NAME runnel-http
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
if(NOT RUNNEL_SANITIZE)
    target_link_options(runnel_http_shared PRIVATE -Wl,-z,defs)
endif()
add_library(runnel::runnel-http ALIAS runnel_http_shared)

runnel_pic_library(runnel_http_pic runnel_http_shared runnel_http)
target_link_libraries(runnel_http_pic PUBLIC runnel_pic
    PRIVATE CURL::libcurl ${RUNNEL_NGHTTP2} ${RUNNEL_WSLAY} OpenSSL::SSL OpenSSL::Crypto ZLIB::ZLIB)
set_target_properties(runnel_http_pic PROPERTIES EXPORT_NAME runnel-http-pic)
add_library(runnel::runnel-http-pic ALIAS runnel_http_pic)
