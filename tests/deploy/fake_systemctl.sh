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
    line=$2 as="setpriv --reuid=$(value "$1" User) --regid=$(value "$1" Group) --clear-groups --no-new-privs --bounding-set=-all" good=
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
    if [ "$1" = cassandra.service ]; then
        sed -n 's/^ConditionPathExists=/&/p' "$units/cassandra.service.d/10-penates.conf" >/tmp/conditions
        if xargs -d '\n' systemd-analyze condition </tmp/conditions >/dev/null 2>&1; then
            echo "cassandra is up" >>/var/log/systemctl
        fi
        return
    fi
    [ ! -e "/run/active-$1" ] || return 0
    for kind in State:/var/lib Runtime:/run; do
        name=$(value "$1" "${kind%%:*}Directory")
        install -d -o cassandra -g cassandra "${kind#*:}/$name"
    done
    command_of "$1" "$(value "$1" ExecStart)" >>/var/log/unit 2>&1 || {
        code=$?
        echo "failed $1 $code" >>/var/log/systemctl
        rm -rf "/run/$(value "$1" RuntimeDirectory)"
        return 0
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
    mkdir -p "$wants"
    ln -sf "$units/$2" "$wants/$2"
    ;;
boot)
    for unit in "$wants"/cassandra-*.service "$wants"/penates-*.service; do
        [ ! -e "$unit" ] || start "${unit##*/}"
    done
    start cassandra.service # enabled in the image
    ;;
start)
    [ "$2" != --no-block ] || shift
    start "$2"
    ;;
*)
    echo "systemctl: not known: $*" >&2
    exit 1
    ;;
esac
