#!/usr/bin/env bash
# tests/cross.sh BUILD: compiles every source for arm64 with the project's own flags, warnings as
# errors. Linking would need arm64 builds of the libraries; their headers are the same, so compiling
# shows what can be shown.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$1
if ! command -v aarch64-linux-gnu-gcc >/dev/null; then
    echo "no arm64 cross compiler here: nothing was shown" >&2
    exit 1
fi
host=$(gcc -print-multiarch)
# The libraries' headers in a place of their own, because the host's C library lies beside them.
mkdir -p "$build"
headers=$(realpath "$build")/include
mkdir -p "$headers"
for place in /usr/include "/usr/include/$host"; do
    for name in curl openssl yajl; do
        mkdir -p "$headers/$name"
        find "$place/$name" -maxdepth 1 -name '*.h' -exec ln -sft "$headers/$name" {} + 2>/dev/null ||
            true
    done
    for name in snappy-c.h snappy-stubs-public.h zlib.h zconf.h; do
        [ ! -e "$place/$name" ] || ln -sf "$place/$name" "$headers/$name"
    done
done
cmake -G Ninja -S . -B "$build" -DPENATES_WERROR=ON -DPENATES_TESTS=OFF \
    -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
    -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY \
    -DCURL_INCLUDE_DIR="$headers" -DOPENSSL_INCLUDE_DIR="$headers" -DZLIB_INCLUDE_DIR="$headers" \
    -DSNAPPY_INCLUDE="$headers" -DCMAKE_LIBRARY_PATH="/usr/lib/$host" >/dev/null
mapfile -t objects < <(ninja -C "$build" -t targets all | sed -n 's/\(\.c\.o\):.*/\1/p')
sources=$(git ls-files 'agent/*.c' 'codec/*.c' 's3/*.c' | wc -l)
if [ "${#objects[@]}" -ne "$sources" ]; then
    echo "${#objects[@]} objects are built from $sources sources" >&2
    exit 1
fi
ninja -C "$build" --quiet "${objects[@]}"
readelf -h "$build/${objects[0]}" | grep -q AArch64
echo "$sources sources compiled for arm64"
