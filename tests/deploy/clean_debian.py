"""A Debian of nothing but its base and what is named, by debootstrap; needs root."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess

PACKAGES = os.environ.get("PENATES_PACKAGES")


@contextlib.contextmanager
def debootstrapped(root, *include):
    """With our package, and in memory, since dpkg syncs every file. The archives are kept beside our
    packages, of each kind of root apart: one of another kind may be made at the same time."""
    root.mkdir()
    mirror = re.search(r"^URIs: *(\S+)", pathlib.Path(
        "/etc/apt/sources.list.d/debian.sources").read_text(), re.M)[1]
    cache = pathlib.Path(PACKAGES).absolute() / "archives" / "-".join(["base", *include])
    cache.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=2g", "root", root], check=True)
    try:
        more = [f"--include={','.join(include)}"] if include else []
        subprocess.run(["debootstrap", "--variant=minbase", f"--cache-dir={cache}", *more, "bookworm",
                        root, mirror], check=True, stdout=subprocess.DEVNULL, timeout=900)
        install(root)
        yield root
    finally:
        subprocess.run(["umount", "--recursive", root], check=True)


def install(root):
    """Our package, as anybody would."""
    (package,) = pathlib.Path(PACKAGES).glob("penates_*_amd64.deb")
    shutil.copy(package, root / "penates.deb")
    subprocess.run(["chroot", root, "dpkg", "-i", "/penates.deb"], check=True, capture_output=True)
