#!/bin/sh
# clean_root.sh DIR COMMAND...: runs a command as root of DIR, in mount and process namespaces of its
# own. The programs are those of $CLEAN_USR, this machine's unless it is set, with DIR/layer over
# them; of /etc, /var and the rest there is only what DIR/root has. It stays between runs as a root
# volume does; /run, as on a boot, does not.
set -eu
dir=$1
shift
root=$dir/root
mkdir -p "$root/usr" "$root/proc" "$root/dev" "$root/run" "$root/tmp" "$root/etc" "$root/var"
mount --make-rprivate /
mount -t tmpfs work "$dir/work"
mkdir "$dir/work/upper" "$dir/work/work"
cp -a "$dir/layer/." "$dir/work/upper/"
mount -t overlay usr -o "lowerdir=${CLEAN_USR:-/usr},upperdir=$dir/work/upper,workdir=$dir/work/work" "$root/usr"
for name in bin sbin lib lib64; do
    [ -e "$root/$name" ] || ln -s "usr/$name" "$root/$name"
done
mount -t proc proc "$root/proc"
mount -t tmpfs run "$root/run"
mount -t tmpfs tmp "$root/tmp"
for name in null zero urandom; do
    touch "$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
[ -d "$root/var/lib/cassandra/data" ] || [ ! -d "$dir/volume" ] || mkdir -p "$root/var/lib/cassandra"
if [ -d "$dir/volume" ]; then
    mount --bind "$dir/volume" "$root/var/lib/cassandra"
fi
exec chroot "$root" "$@"
