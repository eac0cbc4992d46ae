# The libraries of static-libs.sh under the names that find_package would give them. A package that
# is linked against Debian's libcurl asks for Debian's symbol version of it, which neither Amazon
# Linux nor EL has; so what is linked into the program is fixed here, and only glibc and libgcc_s are
# the machine's own.
function(static_library target archive)
    add_library(${target} STATIC IMPORTED GLOBAL)
    set_target_properties(${target} PROPERTIES
        IMPORTED_LOCATION ${PENATES_STATIC}/lib/${archive}
        INTERFACE_INCLUDE_DIRECTORIES "${PENATES_STATIC}/include;${PENATES_STATIC}/include/libxml2"
        INTERFACE_LINK_LIBRARIES "${ARGN}")
endfunction()

static_library(ZLIB::ZLIB libz.a)
static_library(OpenSSL::Crypto libcrypto.a ${CMAKE_DL_LIBS} Threads::Threads)
static_library(OpenSSL::SSL libssl.a OpenSSL::Crypto)
static_library(CURL::libcurl libcurl.a OpenSSL::SSL)
set_property(TARGET CURL::libcurl PROPERTY INTERFACE_COMPILE_DEFINITIONS CURL_STATICLIB)
static_library(LibXml2::LibXml2 libxml2.a m)
static_library(PkgConfig::YAJL libyajl_s.a)
static_library(PkgConfig::YAML libyaml.a)
set(SNAPPY_INCLUDE ${PENATES_STATIC}/include)
# C++ of its own; the unwinder stays the machine's, since the static one wants glibc 2.35.
static_library(snappy libsnappy.a -l:libstdc++.a m)
set(SNAPPY_LIBRARY snappy)
# What nothing calls goes: among it a source of random numbers in the C++ library that wants glibc 2.36.
target_link_options(snappy INTERFACE -Wl,--gc-sections)
