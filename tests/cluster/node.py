"""A real Kubernetes on this machine, one node, without Docker, in a network namespace that has no link outside.

Control plane and node run as programs of this process and end with it; kube-router's controller enforces network
policies. For tests: up in seconds, never a production cluster.
"""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

from devstack.program import Program

from tests.cluster import binaries
from tests.cluster.names import Names

ADDRESS: Final = "192.168.77.1"
NAMESPACE: Final = "rossio-cluster"
_TOKEN: Final = "test-cluster-admin"
_API: Final = "https://127.0.0.1:6443"


class Part(Program):
    """A program of the cluster, inside its network."""

    def __init__(
        self, name: str, folder: Path, command: Sequence[str | Path], ready: Sequence[str | Path] = ()
    ) -> None:
        super().__init__(name, folder)
        self._command = command
        self._ready = ready

    def command(self) -> list[str | Path]:
        return ["nsenter", f"--net=/run/netns/{NAMESPACE}", *self._command]

    def ready(self) -> bool:
        """Whether a command that asks it succeeds."""
        if not self._ready:
            return True
        asked = ["nsenter", f"--net=/run/netns/{NAMESPACE}", *self._ready]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0


class Cluster:
    """`with Cluster(folder) as cluster` is a cluster that is up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        self._bin = binaries.control_plane()
        self._tools = binaries.chart_tools()
        self._parts: list[Part] = []
        self._names: Names | None = None
        os.environ["PATH"] = f"{self._tools}:{os.environ['PATH']}:/usr/sbin:/sbin"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        try:
            self._network()
            self._control_plane()
            self._node()
        except BaseException:
            self._down()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._down()

    # What tests do with it

    def run(self, *command: str | Path, check: bool = True, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Runs a command inside, with helm and kubectl at hand; a failure raises with what it said."""
        done = subprocess.run(
            self.inside(*command), env=self.environment, capture_output=True, text=True, check=False, timeout=seconds
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
        return done

    def inside(self, *command: str | Path) -> list[str | Path]:
        return ["nsenter", f"--net=/run/netns/{NAMESPACE}", *command]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HELM_CACHE_HOME": str(self.folder / "helm"),
                "HELM_CONFIG_HOME": str(self.folder / "helm"), "HELM_DATA_HOME": str(self.folder / "helm")}  # fmt: skip

    def kubectl(self, *arguments: str | Path, **options: Any) -> str:
        return self.run("kubectl", *arguments, **options).stdout

    def listed(self, what: str, *selector: str) -> list[dict[str, Any]]:
        """The objects of a kind, of all namespaces unless `selector` says otherwise."""
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", what, "-o", "json", *(selector or ["-A"])))[
            "items"
        ]
        return found

    def load(self, archive: Path) -> None:
        """Makes the images of an archive known to the node."""
        self.run("ctr", "-a", self.folder / "containerd.sock", "-n", "k8s.io", "images", "import", archive, seconds=600)

    def tag(self, image: str, other: str) -> None:
        """Gives an image that the node has another name."""
        self.run("ctr", "-a", self.folder / "containerd.sock", "-n", "k8s.io", "images", "tag", image, other)

    # How it comes up

    def _network(self) -> None:
        subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
        for line in (
            "ip link set lo up",
            "ip link add nd0 type veth peer name nd1",
            f"ip addr add {ADDRESS}/24 dev nd0",
            "ip link set nd0 up",
            "ip link set nd1 up",
            "ip route add default via 192.168.77.254 dev nd0",
            "sysctl -qw net.ipv4.ip_forward=1",
            "sysctl -qw net.bridge.bridge-nf-call-iptables=1",  # policies hold between pods of one bridge, too
        ):
            subprocess.run(self.inside(*line.split()), check=True)

    def _start(self, name: str, *command: str | Path, ready: Sequence[str | Path] = (), seconds: float = 180) -> None:
        part = Part(name, self.folder / "log", command, ready)
        self._parts.append(part)
        part.start(seconds)

    def _control_plane(self) -> None:
        keys = self.folder / "keys"
        keys.mkdir()
        subprocess.run(["openssl", "genrsa", "-out", keys / "sa.key", "2048"], check=True, capture_output=True)
        (keys / "tokens.csv").write_text(f"{_TOKEN},admin,admin,system:masters\n")
        etcd = "http://127.0.0.1:23790"
        peer = "http://127.0.0.1:23791"
        self._start(
            "etcd", self._bin / "etcd", "--unsafe-no-fsync", "--data-dir", self.folder / "etcd",
            "--listen-client-urls", etcd, "--advertise-client-urls", etcd, "--listen-peer-urls", peer,
            "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
        )  # fmt: skip
        self._start(
            "kube-apiserver", self._bin / "kube-apiserver", f"--etcd-servers={etcd}", "--bind-address=0.0.0.0",
            f"--advertise-address={ADDRESS}", "--secure-port=6443", f"--cert-dir={keys}",
            "--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=Node,RBAC",
            f"--token-auth-file={keys / 'tokens.csv'}", "--allow-privileged=true",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-signing-key-file={keys / 'sa.key'}", f"--service-account-key-file={keys / 'sa.key'}",
            "--kubelet-preferred-address-types=InternalIP",
            ready=["curl", "-skf", "-H", f"Authorization: Bearer {_TOKEN}", f"{_API}/readyz"],
        )  # fmt: skip
        self._write_kubeconfig(keys / "apiserver.crt")
        config = f"--kubeconfig={self.kubeconfig}"
        quiet = ("--bind-address=127.0.0.1", "--secure-port=0", "--leader-elect=false")
        self._start(
            "kube-controller-manager", self._bin / "kube-controller-manager", config, *quiet,
            f"--service-account-private-key-file={keys / 'sa.key'}", f"--root-ca-file={keys / 'apiserver.crt'}",
            ready=["kubectl", config, "get", "serviceaccount", "default"],
        )  # fmt: skip
        self._start("kube-scheduler", self._bin / "kube-scheduler", config, *quiet)

    def _write_kubeconfig(self, authority: Path) -> None:
        told = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [
                {
                    "name": "test",
                    "cluster": {
                        "server": _API,
                        "tls-server-name": "kubernetes",
                        "certificate-authority": str(authority),
                    },
                }
            ],
            "users": [{"name": "admin", "user": {"token": _TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        }
        self.kubeconfig.write_text(json.dumps(told))

    def _node(self) -> None:
        socket = self.folder / "containerd.sock"
        _write_node_files(self.folder)
        self._start("containerd", "containerd", "-c", self.folder / "containerd.toml",
                    ready=["ctr", "-a", socket, "version"])  # fmt: skip
        self.load(_pause_image(self._bin / "pause", self.folder))
        config = f"--kubeconfig={self.kubeconfig}"
        (self.folder / "hosts").mkdir()
        self._start(
            "dnsmasq", "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-hosts", "--no-resolv",
            f"--addn-hosts={self.folder / 'hosts'}", "--user=root", "--no-negcache", "--local-ttl=0",
            f"--listen-address={ADDRESS}", "--bind-interfaces", "--local=/cluster.local/", "--pid-file=",
        )  # fmt: skip
        dns = self._parts[-1]
        self._names = Names(self, self.folder / "hosts" / "cluster", lambda: dns.pid)
        self._names.start()
        self._start(
            "kube-proxy", self._bin / "kube-proxy", config, "--hostname-override=n1", "--proxy-mode=nftables",
            "--cluster-cidr=10.244.0.0/16", "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s",
        )  # fmt: skip
        self._start(
            "kubelet", self._bin / "kubelet", f"--config={self.folder / 'kubelet.json'}", config,
            f"--root-dir={self.folder / 'kubelet'}", "--hostname-override=n1", f"--node-ip={ADDRESS}",
            f"--cert-dir={self.folder / 'kubelet' / 'pki'}",
            ready=["kubectl", config, "wait", "--for=condition=Ready", "node/n1", "--timeout=1s"],
        )  # fmt: skip
        self._start(
            "policies", self._bin / "policies", config, "--hostname-override=n1",
            "--service-cluster-ip-range=10.96.0.0/16", "--iptables-sync-period=30s",
            ready=["iptables", "-n", "-L", "KUBE-ROUTER-FORWARD"],
        )  # fmt: skip

    # How it ends

    def _down(self) -> None:
        if self.kubeconfig.exists():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.run("kubectl", "delete", "deploy,sts,ds,job,pod", "-A", "--all", "--grace-period=2",
                         check=False, seconds=90)  # fmt: skip
        if self._names is not None:
            self._names.stop()
        # The API server goes before etcd, without which it would linger.
        order = {"etcd": 1, "containerd": 2}
        for part in sorted(self._parts, key=lambda part: order.get(part.name, 0)):
            part.stop(10)
        _end_pods(self.folder)
        _unmount(self.folder)
        subprocess.run(["ip", "netns", "delete", NAMESPACE], check=False, capture_output=True)


def _end_pods(folder: Path) -> None:
    """Ends what an interrupted cluster left running: shims, known by this folder's socket, and all below them."""
    socket = str(folder / "containerd.sock").encode()
    processes = {int(path.name): path for path in Path("/proc").glob("[0-9]*")}
    doomed = set()
    for pid, path in processes.items():
        with contextlib.suppress(OSError):
            told = (path / "cmdline").read_bytes().split(b"\0")
            if b"containerd-shim" in told[0] and socket in told:
                doomed.add(pid)
    while True:
        below = {pid for pid, path in processes.items() if pid not in doomed and _parent(path) in doomed}
        if not below:
            break
        doomed |= below
    for pid in doomed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _unmount(folder: Path) -> None:
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for path in sorted((path for path in mounted if path.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "-l", path], check=False, capture_output=True)


def _write_node_files(folder: Path) -> None:
    for name in ("cni", "kubelet/pki", "podlogs"):
        (folder / name).mkdir(parents=True)
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": "10.244.0.0/24"}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": str(folder / "cni" / "addresses"),
    }
    plugins = [
        {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "hairpinMode": True, "ipam": ipam},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    (folder / "cni" / "10-bridge.conflist").write_text(
        json.dumps({"cniVersion": "0.4.0", "name": "bridge", "plugins": plugins})
    )
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    (folder / "containerd.toml").write_text(
        f"""version = 2
root = "{folder}/containerd/root"
state = "{folder}/containerd/state"
[grpc]
  address = "{folder}/containerd.sock"
[{cri}]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
[{cri}.cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{folder}/cni"
[{cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[{cri}.containerd.runtimes.runc.options]
  SystemdCgroup = false
"""
    )
    (folder / "kubelet.json").write_text(
        json.dumps(
            {
                "apiVersion": "kubelet.config.k8s.io/v1beta1",
                "kind": "KubeletConfiguration",
                "failCgroupV1": False,
                "cgroupDriver": "cgroupfs",
                "containerRuntimeEndpoint": f"unix://{folder}/containerd.sock",
                "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
                "authorization": {"mode": "AlwaysAllow"},
                "clusterDNS": [ADDRESS],
                "clusterDomain": "cluster.local",
                "resolvConf": "",
                "failSwapOn": False,
                "oomScoreAdj": 0,
                "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
                "imageGCHighThresholdPercent": 100,
                "imageGCLowThresholdPercent": 99,
                "makeIPTablesUtilChains": False,
                "maxPods": 100,
                "podLogsDir": f"{folder}/podlogs",
                "syncFrequency": "10s",  # a renewed secret is in its pods after that
                "address": "0.0.0.0",
            }
        )
    )


def _pause_image(program: Path, folder: Path) -> Path:
    """The image that holds a pod's network: one static program, as a docker archive made by hand."""
    layer, archive = folder / "layer.tar", folder / "pause.tar"
    with tarfile.open(layer, "w") as out:
        out.add(program, "pause")
    digest = hashlib.sha256(layer.read_bytes()).hexdigest()
    described = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/pause"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    (folder / "config.json").write_text(json.dumps(described))
    (folder / "manifest.json").write_text(
        json.dumps([{"Config": "config.json", "RepoTags": ["localhost/pause:1"], "Layers": ["layer.tar"]}])
    )
    with tarfile.open(archive, "w") as out:
        for name in ("config.json", "layer.tar", "manifest.json"):
            out.add(folder / name, name)
    return archive


def fresh(folder: Path) -> Path:
    """The folder, empty; what an interrupted cluster left running or mounted in it is ended."""
    _end_pods(folder)
    _unmount(folder)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["ip", "netns", "delete", NAMESPACE], check=False, capture_output=True)
    return folder


def poll(what: str, ask: Any, seconds: float = 120) -> Any:
    """The first answer that is not empty."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.5)
    raise AssertionError(f"waited {seconds:.0f} s in vain: {what}")
