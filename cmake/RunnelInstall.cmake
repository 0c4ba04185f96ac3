# Install: headers, the libraries, the command, its manual, a pkg-config file and a CMake package.
include(CMakePackageConfigHelpers)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS runnel_static runnel_shared runnel_pic EXPORT runnel-targets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(RUNNEL_HTTP_FOUND)
    install(TARGETS runnel_http_static runnel_http_shared runnel_http_pic EXPORT runnel-http-targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()

# What an installed `runnel` links with for -race and its like (tools/toolchain.c), on request: each kind is a build of its own.
#     cmake --install build/race --prefix DIR --component race
set(kind "")
if(RUNNEL_SANITIZE MATCHES "address")
    set(kind asan)
elseif(RUNNEL_RACE AND RUNNEL_EXPLORE)
    set(kind explore-race)
elseif(RUNNEL_RACE)
    set(kind race)
elseif(RUNNEL_EXPLORE)
    set(kind explore)
endif()
if(kind)
    set(libraries $<TARGET_FILE:runnel_static>)
    if(RUNNEL_HTTP_FOUND)
        list(APPEND libraries $<TARGET_FILE:runnel_http_static>)
    endif()
    install(FILES ${libraries} DESTINATION ${CMAKE_INSTALL_LIBDIR}/runnel/${kind} COMPONENT ${kind} EXCLUDE_FROM_ALL)
endif()

if(TARGET runnel)
    install(TARGETS runnel RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(TARGET runnel-vet)
    install(TARGETS runnel-vet RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/runnel)
endif()
if(EXISTS ${PROJECT_SOURCE_DIR}/docs/man/runnel.1)
    install(FILES ${PROJECT_SOURCE_DIR}/docs/man/runnel.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()

# gdb loads the second one by itself, with the shared library, where that is by the prefix of this very installation; the first is
# for static programs, and for a gdb with another prefix than the library's.
install(FILES ${PROJECT_SOURCE_DIR}/tools/gdb/runnel-gdb.py DESTINATION ${CMAKE_INSTALL_DATADIR}/runnel)
install(CODE "file(INSTALL
    DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/gdb/auto-load\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}\"
    TYPE FILE RENAME librunnel.so.${PROJECT_VERSION}-gdb.py FILES \"${PROJECT_SOURCE_DIR}/tools/gdb/runnel-gdb.py\")")

# Relative to the .pc file, so that a copied or staged installation works.
file(RELATIVE_PATH RUNNEL_PC_PREFIX /x/${CMAKE_INSTALL_LIBDIR}/pkgconfig /x)
configure_file(${PROJECT_SOURCE_DIR}/cmake/runnel.pc.in runnel.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/runnel.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(RUNNEL_HTTP_FOUND)
    configure_file(${PROJECT_SOURCE_DIR}/cmake/runnel-http.pc.in runnel-http.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/runnel-http.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()

set(RUNNEL_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/runnel)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/runnel-config.cmake.in runnel-config.cmake
    INSTALL_DESTINATION ${RUNNEL_PACKAGE_DIR})
write_basic_package_version_file(runnel-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/runnel-config.cmake ${PROJECT_BINARY_DIR}/runnel-config-version.cmake
    DESTINATION ${RUNNEL_PACKAGE_DIR})
install(EXPORT runnel-targets NAMESPACE runnel:: DESTINATION ${RUNNEL_PACKAGE_DIR})
if(RUNNEL_HTTP_FOUND)
    install(EXPORT runnel-http-targets NAMESPACE runnel:: DESTINATION ${RUNNEL_PACKAGE_DIR})
endif()
