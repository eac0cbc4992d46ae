#!/bin/sh
# systemctl of a root without systemd: enables, and starts a oneshot by its own unit file. What a
# unit may do is not enforced; as whom it runs, is. "boot" is what follows a power-on.
set -eu
units=/usr/lib/systemd/system
wants=/etc/systemd/system/multi-user.target.wants

value() { # value UNIT NAME
    sed -n "s/^$2=//p" "$units/$1"
}

command_of() { # command_of UNIT LINE: runs it: "+": as root, "-": whatever its exit code
    line=$2 as='' good='' user=$(value "$1" User)
    [ -z "$user" ] || as="setpriv --reuid=$user --regid=$(value "$1" Group) --clear-groups --no-new-privs --bounding-set=-all"
    while :; do
        case $line in
        +*) as= ;;
        -*) good=yes ;;
        *) break ;;
        esac
        line=${line#?}
    done
    # shellcheck disable=SC2086 # words of a unit file
    $as $line && return
    code=$?
    [ -n "$good" ] || return "$code"
}

start() {
    echo "start $1" >>/var/log/systemctl
    if [ -e "/run/masked-$1" ]; then
        echo "masked $1" >>/var/log/systemctl
        return
    fi
    if [ "$1" = cassandra.service ]; then
        cat "$units/cassandra.service.d/"*.conf /etc/systemd/system/cassandra.service.d/*.conf \
            2>/dev/null | sed -n 's/^ConditionPathExists=/&/p' >/tmp/conditions
        if xargs -d '\n' systemd-analyze condition </tmp/conditions >/dev/null 2>&1; then
            echo "cassandra is up" >>/var/log/systemctl
        fi
        return
    fi
    [ ! -e "/run/active-$1" ] || return 0
    for kind in State:/var/lib Runtime:/run; do
        name=$(value "$1" "${kind%%:*}Directory")
        [ -n "$name" ] || continue
        install -d -o cassandra -g cassandra "${kind#*:}/$name"
    done
    command_of "$1" "$(value "$1" ExecStart)" >>/var/log/unit 2>&1 || {
        code=$?
        echo "failed $1 $code" >>/var/log/systemctl
        name=$(value "$1" RuntimeDirectory)
        [ -z "$name" ] || rm -rf "/run/$name"
        return "$code"
    }
    touch "/run/active-$1"
    value "$1" ExecStartPost >/tmp/posts
    while read -r post; do
        command_of "$1" "$post"
    done </tmp/posts
}

case $1 in
daemon-reload) ;;
enable)
    shift
    mkdir -p "$wants"
    for unit; do
        [ -e "$units/$unit" ] || exit 1
        ln -sf "$units/$unit" "$wants/$unit"
    done
    ;;
mask) touch "/run/masked-$3" ;;
unmask) rm -f "/run/masked-$3" ;;
boot)
    for unit in "$wants"/cassandra-*.service "$wants"/penates-*.service; do
        [ ! -e "$unit" ] || start "${unit##*/}" || true
    done
    start cassandra.service # enabled in the image
    ;;
start)
    if [ "$2" = --no-block ]; then
        start "$3" || true
    else
        start "$2"
    fi
    ;;
*)
    echo "systemctl: not known: $*" >&2
    exit 1
    ;;
esac
