#!/bin/sh
# Makes this instance a node of its ring, on its first boot. What it has to know lies beside it, in
# facts, cassandra and penates.conf; nothing of a value is ever seen by a shell. Its text has no
# dollar before a brace, which a template would take for a value of its own.
set -eu
umask 022

here=/run/penates-boot
step='user data'
metadata=$(printenv AWS_EC2_METADATA_SERVICE_ENDPOINT || echo http://169.254.169.254)

say() {
    echo "penates-boot: $*" >&2
}

fact() { # fact NAME [FILE]
    sed -n "s/^$1 = //p" "$here/$2"
}

# What fails before penates runs would be a timeout without a word. The URL is a secret.
tell() {
    code=$?
    [ "$code" -ne 0 ] || return 0
    say "failed: $step"
    printf 'url = "%s"\n' "$(fact wait-handle penates.conf)" |
        curl --config - --silent --show-error --fail --max-time 30 --retry 5 --request PUT \
            --header 'Content-Type:' --output /dev/null --data-binary "{\"Status\": \"FAILURE\",
            \"UniqueId\": \"boot-$(fact slot facts)\", \"Data\": \"exit $code\",
            \"Reason\": \"slot $(fact slot facts), before penates: $step\"}" ||
        say "the stack was not told"
    exit "$code"
}

ask() { # ask PATH: of the instance's metadata, version 2
    printf 'header = "X-aws-ec2-metadata-token: %s"\n' "$token" |
        curl --config - --silent --show-error --fail --noproxy '*' --max-time 10 --retry 5 \
            "$metadata/latest/meta-data/$1"
}

field() { # field NAME: of the credentials
    printf %s "$keys" | tr ',' '\n' | sed -n "s/.*\"$1\" *: *\"\([^\"]*\)\".*/\1/p"
}

fetch() { # fetch s3://BUCKET/KEY FILE: as the role of this instance
    bucket=$(printf %s "$1" | cut -d / -f 3)
    key=$(printf %s "$1" | cut -d / -f 4-)
    region=$(fact region facts)
    store=$(printenv BOOT_STORE || echo "https://$bucket.s3.$region.$(fact suffix facts)")
    token=$(curl --silent --show-error --fail --noproxy '*' --max-time 10 --retry 5 --request PUT \
        --header 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$metadata/latest/api/token")
    keys=$(ask "iam/security-credentials/$(ask iam/security-credentials/)")
    curl --config - --silent --show-error --fail --retry 5 --output "$2" \
        --aws-sigv4 "aws:amz:$region:s3" <<CONFIG
url = "$store/$key"
user = "$(field AccessKeyId):$(field SecretAccessKey)"
header = "x-amz-security-token: $(field Token)"
header = "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
CONFIG
}

install_package() {
    step='no package could be fetched from PackageUri (the role, the bucket, or a curl before 7.88)'
    uri=$(fact package-uri facts)
    package=$here/$(basename "$uri")
    fetch "$uri" "$package"
    step='the package is not the one of PackageSha256'
    echo "$(fact package-sha256 facts)  $package" | sha256sum --check --quiet -
    step='the package cannot be installed'
    case $package in
    *.deb) dpkg --install "$package" >&2 ;;
    *) rpm --upgrade --replacepkgs "$package" >&2 ;;
    esac
}

trap tell EXIT
if [ -n "$(fact package-sha256 facts)" ]; then
    install_package
fi
step='the image has no penates, and PackageUri is empty'
[ -x /usr/lib/penates/cassandra-config ]

# From here on Cassandra waits for the restore by its unit, and no longer by a mask.
step='the units cannot be enabled'
systemctl daemon-reload
systemctl enable penates-restore.service cassandra-data-disk.service
systemctl unmask --runtime cassandra.service
if [ "$(fact start-cassandra facts)" != yes ]; then
    mkdir -p /etc/systemd/system/cassandra.service.d
    printf '[Unit]\nConditionPathExists=/etc/penates/start-cassandra\n' \
        >/etc/systemd/system/cassandra.service.d/20-by-hand.conf
fi

step='no data disk: see journalctl -u cassandra-data-disk'
systemctl start cassandra-data-disk.service

step='cassandra.yaml cannot be changed'
conf=$(fact conf-dir facts)
chown cassandra:cassandra "$conf" "$conf/cassandra.yaml"
/usr/lib/penates/cassandra-config "$conf" <"$here/cassandra"

step='penates cannot be started'
sed '/= *$/d' "$here/penates.conf" | /usr/lib/penates/user-data
