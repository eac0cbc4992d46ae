#!/usr/bin/env bash
# tests/cross.sh BUILD: compiles every source for arm64 with warnings as errors. Linking would need
# arm64 builds of the libraries; their headers are the same, so compiling shows what can be shown.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$1
mkdir -p "$build/agent" "$build/codec" "$build/s3" "$build/agent/base"
if ! command -v aarch64-linux-gnu-gcc >/dev/null; then
    echo "no arm64 cross compiler here: nothing was shown" >&2
    exit 1
fi
# The libraries' own headers, apart from the host's C library.
headers=$build/include
mkdir -p "$headers"
for place in /usr/include /usr/include/x86_64-linux-gnu; do
    for name in curl openssl yajl; do
        mkdir -p "$headers/$name"
        find "$place/$name" -maxdepth 1 -name '*.h' -exec ln -sft "$headers/$name" {} + 2>/dev/null ||
            true
    done
    for name in snappy-c.h zlib.h zconf.h; do
        [ ! -e "$place/$name" ] || ln -sf "$place/$name" "$headers/$name"
    done
done
count=0
for file in $(git ls-files 'agent/*.c' 'codec/*.c' 's3/*.c'); do
    aarch64-linux-gnu-gcc -std=gnu17 -O2 -Wall -Wextra -Wconversion -Wsign-conversion -Werror \
        -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DPENATES_VERSION='"cross"' -I. -I"$headers" \
        -I/usr/include/libxml2 -c "$file" -o "$build/${file%.c}.o"
    count=$((count + 1))
done
echo "$count sources compiled for arm64"
