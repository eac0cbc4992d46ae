# deb, rpm and tarball: `cpack` in the build directory. One layout for all of them. The static libraries are what makes one program fit all distributions, so there
# is no package without PENATES_STATIC.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    set(deb_arch arm64)
    set(rpm_arch aarch64)
else()
    set(deb_arch amd64)
    set(rpm_arch x86_64)
endif()
set(deploy ${CMAKE_SOURCE_DIR}/deploy)
set(doc usr/share/doc/penates)
set(made ${CMAKE_BINARY_DIR}/package)

# Compressed without a time or a name in it: the same source makes the same bytes.
function(compressed file as where)
    file(MAKE_DIRECTORY ${made})
    execute_process(COMMAND gzip -9nc ${file} OUTPUT_FILE ${made}/${as} COMMAND_ERROR_IS_FATAL ANY)
    install(FILES ${made}/${as} DESTINATION ${where})
endfunction()

file(GLOB docs ${deploy}/docs/*.md)
file(GLOB ssm_documents ${deploy}/ssm/*.yaml)
file(GLOB schemas ${deploy}/schema/*.json)
install(TARGETS penates RUNTIME DESTINATION usr/bin)
install(PROGRAMS ${deploy}/systemd/data-disk ${deploy}/user-data/user-data
    ${deploy}/user-data/cassandra-config ${deploy}/ssm/ssm
    DESTINATION usr/lib/penates)
install(PROGRAMS ${deploy}/restore-table.sh DESTINATION usr/lib/penates RENAME restore-table)
install(FILES ${deploy}/systemd/penates-restore.service ${deploy}/systemd/cassandra-data-disk.service
    ${deploy}/systemd/penates-verify.service ${deploy}/systemd/penates-verify.timer
    DESTINATION usr/lib/systemd/system)
install(DIRECTORY ${deploy}/systemd/cassandra.service.d DESTINATION usr/lib/systemd/system)
install(FILES ${deploy}/packaging/penates.conf ${deploy}/packaging/verify.conf DESTINATION etc/penates)
install(FILES ${deploy}/completions/penates.bash DESTINATION usr/share/bash-completion/completions
    RENAME penates)
install(FILES ${deploy}/completions/_penates DESTINATION usr/share/zsh/site-functions)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${docs} DESTINATION ${doc})
install(FILES ${schemas} DESTINATION ${doc}/schema)
install(FILES ${ssm_documents} DESTINATION ${doc}/ssm)
install(FILES ${deploy}/user-data/cloud-config.yaml ${deploy}/user-data/user-data.sh
    DESTINATION ${doc}/examples)
install(FILES ${deploy}/packaging/copyright DESTINATION ${doc})
install(FILES ${deploy}/packaging/lintian-overrides DESTINATION usr/share/lintian/overrides RENAME penates)
compressed(${deploy}/packaging/changelog changelog.gz ${doc})
compressed(${deploy}/penates.1 penates.1.gz usr/share/man/man1)

set(CPACK_GENERATOR DEB RPM TGZ)
set(CPACK_PACKAGE_NAME penates)
set(CPACK_PACKAGE_VENDOR Penates)
set(CPACK_PACKAGE_CONTACT "The developers of Penates <penates@localhost>") # no public address
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "restores Cassandra from Priam's backups in S3")
set(CPACK_PACKAGE_DESCRIPTION
    "Streams a Cassandra backup that Netflix Priam wrote to Amazon S3 back
into the data directories of a node: decoded on the way, verified, and
continued where it was cut.")
set(CPACK_PACKAGING_INSTALL_PREFIX /)
set(CPACK_STRIP_FILES ON)
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGE_FILE_NAME penates-${PROJECT_VERSION}-linux-${rpm_arch})
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

# glibc 2.34 is the first with pthreads in libc itself, and what Ubuntu 22.04, Amazon Linux 2023 and
# EL 9 have at least; the tests hold the program to it.
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${deb_arch})
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libc6 (>= 2.34), libgcc-s1")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates, xfsprogs, mdadm")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${deploy}/packaging/conffiles)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_ARCHITECTURE ${rpm_arch})
set(CPACK_RPM_PACKAGE_LICENSE Apache-2.0)
set(CPACK_RPM_PACKAGE_GROUP Applications/Databases)
set(CPACK_RPM_PACKAGE_AUTOREQPROV OFF)
set(CPACK_RPM_PACKAGE_REQUIRES "glibc >= 2.34, libgcc")
set(CPACK_RPM_PACKAGE_RELOCATABLE OFF)
set(CPACK_RPM_USER_FILELIST "%config(noreplace) /etc/penates/penates.conf"
    "%config(noreplace) /etc/penates/verify.conf")
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION /etc /usr /usr/bin /usr/lib /usr/share
    /usr/share/doc /usr/share/man /usr/share/man/man1 /usr/share/lintian
    /usr/share/lintian/overrides /usr/lib/systemd /usr/lib/systemd/system /usr/share/bash-completion /usr/share/bash-completion/completions
    /usr/share/zsh /usr/share/zsh/site-functions)
set(CPACK_RPM_SPEC_MORE_DEFINE "%define _build_id_links none")
include(CPack)
