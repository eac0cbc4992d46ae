#!/usr/bin/env bash
# build.sh amd64|arm64 [DIR]: makes the deb, the rpm and the tarball in DIR (default: build-package).
# Runs on Debian 12, after deploy/deps.sh --tests, which has the tools.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
arch=${1:?usage: build.sh amd64|arm64 [DIR]}
mkdir -p "${2:-$root/build-package}"
out=$(cd "${2:-$root/build-package}" && pwd)
"$root/deploy/packaging/static-libs.sh" "$arch" "$out/libraries-$arch"

options=(-DPENATES_WERROR=ON -DPENATES_TESTS=OFF "-DPENATES_STATIC=$out/libraries-$arch")
if [ "$arch" = arm64 ]; then
    options+=(-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64
        -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc)
fi
CC=gcc cmake -G Ninja -S "$root" -B "$out/build-$arch" "${options[@]}" >/dev/null
cmake --build "$out/build-$arch" | tail -n 1
rm -f "$out/build-$arch"/*.{deb,rpm,tar.gz}
(cd "$out/build-$arch" && cpack >cpack.log 2>&1) || { cat "$out/build-$arch/cpack.log" >&2; exit 1; }
mv "$out/build-$arch"/*.{deb,rpm,tar.gz} "$out"
