"""What a machine must be able to do so that a cluster runs on it: said in words, before minutes go into building.

`python -m tests.cluster.machine` tries what needs Debian's programs to be tried: the kernel's bridges and filters.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.cluster import binaries

_ROOM_GB: Final = 12


def lacks() -> list[str]:
    """What is missing here; nothing: a cluster can be tried."""
    if os.geteuid() != 0:
        return ["root: network namespaces, mounts and cgroups are made"]
    return [*_lacking_programs(), *_lacking_kernel(), *_lacking_room()]


def _lacking_programs() -> Iterator[str]:
    if not binaries.control_plane_is_there() and shutil.which("go") is None:
        yield "Go, which builds the control plane"
    if binaries.lacking_debian() and shutil.which("apt-get") is None:
        yield f"Debian's {', '.join(binaries.lacking_debian())}"


def _lacking_kernel() -> Iterator[str]:
    if not _works("unshare", "--net", "--mount", "--pid", "--fork", "true"):
        yield "namespaces of network, mounts and processes"
    with tempfile.TemporaryDirectory() as scratch:
        layers = [Path(scratch) / name for name in ("lower", "upper", "work", "merged")]
        for layer in layers:
            layer.mkdir()
        told = "lowerdir={},upperdir={},workdir={}".format(*layers[:3])
        if not _works("unshare", "--mount", "mount", "-t", "overlay", "overlay", "-o", told, str(layers[3])):
            yield "overlay mounts"
    group = next(filter(Path.is_dir, (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup"))), None)
    try:
        assert group is not None
        Path(tempfile.mkdtemp(dir=group)).rmdir()
    except (OSError, AssertionError):
        yield "cgroups that can be written"


def _lacking_room() -> Iterator[str]:
    free = shutil.disk_usage(binaries.ROOT).free / 1e9
    if free < _ROOM_GB:
        yield f"room: {_ROOM_GB} GB are used, {free:.0f} GB are free"


def _works(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


_NETWORK: Final = {
    "filters for bridges": "ip link add b0 type bridge && ls /proc/sys/net/bridge/bridge-nf-call-iptables",
    "pairs of network devices": "ip link add v0 type veth peer name v1",
    "nftables": "nft add table ip t && nft add chain ip t c '{type nat hook prerouting priority 0;}'",
    "iptables with sets": "ipset create s hash:ip && iptables -A FORWARD -m set --match-set s src -j REJECT",
}


def lacking_network() -> list[str]:
    """What the kernel lacks for the network of a node, tried in a namespace of its own."""
    _works("modprobe", "br_netfilter")
    path = f"PATH={os.environ['PATH']}:/usr/sbin:/sbin"
    return [what for what, how in _NETWORK.items() if not _works("unshare", "--net", "env", path, "sh", "-c", how)]


if __name__ == "__main__":
    if missing := lacking_network():
        sys.exit(f"this machine's kernel lacks {'; '.join(missing)}")
