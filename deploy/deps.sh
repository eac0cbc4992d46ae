#!/usr/bin/env bash
# Installs what building Penates needs, where it is missing: on Debian 12, Ubuntu 22.04 and 24.04,
# Amazon Linux 2023 and EL 9. On Debian and Ubuntu only: with --tests also what tests/run.sh needs,
# with --cassandra what tests/cassandra/run.sh needs, which has a Java 17 and Maven in it.
set -euo pipefail

apt_build=(ca-certificates cmake gcc libc6-dev libcurl4-openssl-dev libsnappy-dev libssl-dev
    libxml2-dev libyajl-dev libyaml-dev make pkg-config python3 zlib1g-dev)
apt_tests=(autoconf automake clang clang-format clang-tidy cloud-init curl debootstrap dpkg-dev
    e2fsprogs file gcc-aarch64-linux-gnu gcovr git iproute2 libc6-dev-arm64-cross libcmocka-dev
    libstdc++-12-dev libstdc++-12-dev-arm64-cross libtool lintian man-db maven memcached ninja-build
    openjdk-17-jre-headless procps python3-venv qemu-user-static rpm shellcheck systemd xfsprogs)
apt_cassandra=(maven ninja-build openjdk-17-jdk-headless procps python3-venv)
dnf_build=(ca-certificates cmake gcc glibc-devel libcurl-devel libxml2-devel libyaml-devel make openssl-devel
    pkgconf-pkg-config python3 snappy-devel yajl-devel zlib-devel)

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

apt_missing() { # apt_missing NAME...: prints those that are not installed
    local name
    for name in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed ||
            echo "$name"
    done
}

install_apt() {
    local missing
    mapfile -t missing < <(apt_missing "$@")
    if [ "${#missing[@]}" -gt 0 ]; then
        echo "installing ${missing[*]}" >&2
        as_root apt-get update -qq
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
            --no-install-recommends "${missing[@]}" >/dev/null
    fi
}

# The runtimes of clang's sanitizers and fuzzer are a package of their own from LLVM 14.0.6 on; before
# that (Ubuntu 22.04) they come with clang. The package has the version in its name.
install_clang_runtime() {
    local version
    version=$(dpkg-query -W -f '${Depends}' clang | sed -n 's/.*clang-\([0-9]*\).*/\1/p')
    if apt-cache show "libclang-rt-$version-dev" >/dev/null 2>&1; then
        install_apt "libclang-rt-$version-dev"
    fi
}

# The tests ask cloud-init whether it understands our user data. Where it comes with us it shall not
# set up the machine anew at the next boot.
keep_cloud_init_off() {
    if [ -n "$(apt_missing cloud-init)" ]; then
        as_root mkdir -p /etc/cloud
        as_root touch /etc/cloud/cloud-init.disabled
    fi
}

# snappy-devel and yajl-devel lie in a repository of EL 9 that is off by default: "crb", which RHEL
# calls codeready-builder. It is used for this one installation and stays off.
install_dnf() {
    if rpm -q "$@" >/dev/null 2>&1; then
        return
    fi
    local builder
    builder=$(dnf -q repolist --all | awk '$1 == "crb" || $1 ~ /^codeready-builder-for-rhel-9-[^-]*-rpms$/ {
        print $1; exit }')
    echo "installing $*" >&2
    as_root dnf install -y -q ${builder:+"--enablerepo=$builder"} "$@"
}

tests=0
cassandra=0
for option in "$@"; do
    case $option in
    --tests) tests=1 ;;
    --cassandra) cassandra=1 ;;
    *) echo "deps.sh: unknown: $option; --tests and --cassandra are known" >&2; exit 64 ;;
    esac
done
if command -v apt-get >/dev/null; then
    install_apt "${apt_build[@]}"
    if [ "$tests" = 1 ]; then
        keep_cloud_init_off
        install_apt "${apt_tests[@]}"
        install_clang_runtime
    fi
    if [ "$cassandra" = 1 ]; then
        install_apt "${apt_cassandra[@]}"
    fi
elif [ "$tests$cassandra" != 00 ]; then
    echo "deps.sh: the tests run on Debian 12 and Ubuntu only" >&2
    exit 1
elif command -v dnf >/dev/null; then
    install_dnf "${dnf_build[@]}"
else
    echo "deps.sh: neither apt-get nor dnf is here; install: ${apt_build[*]}" >&2
    exit 1
fi
