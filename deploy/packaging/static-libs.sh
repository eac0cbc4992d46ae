#!/usr/bin/env bash
# static-libs.sh ARCH PREFIX: lays the static libraries of static-libs.pins for amd64 or arm64 below
# PREFIX (include/, lib/), each file checked against its pin. Needs Debian 12's package archives and,
# for arm64, the cross compilers. apt works in a place of its own: the machine's setup stays.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
pins=$here/static-libs.pins
arch=${1:?usage: static-libs.sh amd64|arm64 PREFIX}
mkdir -p "${2:?usage: static-libs.sh amd64|arm64 PREFIX}"
prefix=$(cd "$2" && pwd)
case $arch in
amd64) triplet=x86_64-linux-gnu ;;
arm64) triplet=aarch64-linux-gnu ;;
*) echo "static-libs.sh: '$arch': amd64 and arm64 are known" >&2; exit 64 ;;
esac
jobs=${JOBS:-2}
work=$prefix/work
flags="-O2 -g0 -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2"

# Everything that is newer than the pins and this script stays as it is.
done_mark=$prefix/.done
if [ -e "$done_mark" ] && cmp -s "$done_mark" <(cat "$pins" "${BASH_SOURCE[0]}"); then
    exit 0
fi

failed_log=/dev/null
trap '[ $? -eq 0 ] || tail -n 30 "$failed_log" >&2' EXIT

pinned() { # pinned KIND: its lines
    awk -v kind="$1" '$1 == kind' "$pins"
}

apt_place() { # the machine's own sources, with source packages and the wanted architecture
    mkdir -p "$work/apt/sources" "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
    : >"$work/apt/status"
    sed 's/^Types: deb$/Types: deb deb-src/' /etc/apt/sources.list.d/debian.sources \
        >"$work/apt/sources/debian.sources"
    cat >"$work/apt/apt.conf" <<EOF
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "root";
Dir::State "$work/apt";
Dir::State::status "$work/apt/status";
Dir::Cache "$work/apt/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$work/apt/sources";
EOF
    export APT_CONFIG=$work/apt/apt.conf
    apt-get update -qq
}

check_sum() { # check_sum FILE SHA-256
    if ! sha256sum --quiet -c <<<"$2  $1"; then
        echo "static-libs.sh: $1: is not the file that was pinned" >&2
        exit 1
    fi
}

fetch_dev() {
    local package version file_arch sum
    while read -r _ package version file_arch sum; do
        [ "$file_arch" = "$arch" ] || continue
        apt-get download -qq "$package:$arch=$version"
        check_sum "${package}_${version//:/%3a}_$arch.deb" "$sum"
        dpkg-deb -x "${package}_${version//:/%3a}_$arch.deb" "$work/dev"
    done < <(pinned dev)
    mkdir -p "$prefix/include" "$prefix/lib"
    cp -a "$work/dev/usr/include/." "$prefix/include/"
    # What lies below the triplet is included by names without it.
    cp -a "$work/dev/usr/include/$triplet/." "$prefix/include/" 2>/dev/null || true
    cp -a "$work/dev/usr/lib/$triplet/"*.a "$prefix/lib/"
}

fetch_source() { # fetch_source PACKAGE: unpacked and patched in $work/PACKAGE
    local package=$1 version part sum file
    version=$(pinned source | awk -v package="$package" '$2 == package { print $3; exit }')
    apt-get source -qq --download-only "$package=$version"
    while read -r _ _ _ part sum; do
        file=$(find . -maxdepth 1 -name "${package}_*.$part.tar.?z" -printf '%f\n')
        check_sum "$file" "$sum"
    done < <(pinned source | awk -v package="$package" '$2 == package')
    rm -rf "${work:?}/$package"
    dpkg-source --no-check -x "${package}_${version#*:}.dsc" "$work/$package" >/dev/null
}

run_configure() { # without a condition around it, or set -e means nothing inside
    local package=$1
    shift
    cd "$work/$package"
    if [ "$package" = libxml2 ]; then autoreconf -fi; fi
    ./configure --host="$triplet" --prefix="$prefix" --libdir="$prefix/lib" --disable-shared \
        --enable-static CC="$triplet-gcc" CFLAGS="$flags" CPPFLAGS="-I$prefix/include" \
        LDFLAGS="-L$prefix/lib" "$@"
}

configure() { # configure PACKAGE OPTIONS...: as small as Penates needs it
    failed_log=$work/$1.log
    (run_configure "$@") >"$failed_log" 2>&1
}

# The certificates' place differs between distributions: Penates looks for it at run time.
build_curl() {
    fetch_source curl
    LIBS="-ldl -lpthread" configure curl --with-openssl="$prefix" --without-ca-bundle \
        --without-ca-path --without-zlib --without-brotli --without-zstd --without-libidn2 \
        --without-libpsl --without-nghttp2 --without-librtmp --without-libssh2 --without-gssapi \
        --disable-ldap --disable-ftp --disable-file --disable-dict --disable-telnet --disable-tftp \
        --disable-pop3 --disable-imap --disable-smtp --disable-smb --disable-gopher --disable-mqtt \
        --disable-rtsp --disable-manual --disable-libcurl-option --enable-threaded-resolver
    make -s -C "$work/curl/lib" -j "$jobs" install >>"$work/curl.log" 2>&1
    make -s -C "$work/curl/include" install >>"$work/curl.log" 2>&1
}

build_libxml2() {
    fetch_source libxml2
    configure libxml2 --without-python --without-icu --without-lzma --without-zlib \
        --without-http --without-ftp --without-iconv --without-modules --without-catalog \
        --without-debug --without-docbook --without-html
    make -s -C "$work/libxml2" -j "$jobs" libxml2.la >>"$work/libxml2.log" 2>&1
    cp "$work/libxml2/.libs/libxml2.a" "$prefix/lib/"
    make -s -C "$work/libxml2/include" install >>"$work/libxml2.log" 2>&1
}

rm -rf "$work"
mkdir -p "$work/files"
cd "$work/files"
apt_place
fetch_dev
build_curl
build_libxml2
cat "$pins" "$here/static-libs.sh" >"$done_mark"
cd /
rm -rf "$work"
