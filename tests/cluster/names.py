"""Names of services for pods, without CoreDNS: what the API server lists, as a hosts file of dnsmasq."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

_EVERY_SECONDS = 0.5


class Runs(Protocol):
    def run(
        self, *command: str | Path, check: bool = True, seconds: float = 300
    ) -> subprocess.CompletedProcess[str]: ...


class Names:
    """Writes the hosts file anew when services or their pods change, and has dnsmasq read it."""

    def __init__(self, cluster: Runs, hosts: Path, dnsmasq: Callable[[], int | None]) -> None:
        self._cluster = cluster
        self._hosts = hosts
        self._dnsmasq = dnsmasq
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="cluster names", daemon=True)

    def start(self) -> None:
        self._hosts.write_text("")
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(10)

    def _keep(self) -> None:
        while not self._ended.wait(_EVERY_SECONDS):
            listing = self._cluster.run("kubectl", "get", "svc,endpointslices", "-A", "-o", "json", check=False)
            if listing.returncode == 0:
                text = "".join(f"{line}\n" for line in sorted(set(_lines(json.loads(listing.stdout)["items"]))))
                if text != self._hosts.read_text():
                    self._hosts.write_text(text)
                    if (pid := self._dnsmasq()) is not None:
                        os.kill(pid, signal.SIGHUP)


def _lines(items: list[dict[str, Any]]) -> Iterator[str]:
    """`address name` for each service, and for each ready pod of one without an address of its own."""
    services = [item for item in items if item["kind"] == "Service"]
    headless = {
        (item["metadata"]["namespace"], item["metadata"]["name"]): item["spec"].get("publishNotReadyAddresses", False)
        for item in services
        if item["spec"].get("clusterIP") == "None"
    }
    for item in services:
        if item["spec"].get("clusterIP", "None") != "None":
            yield f"{item['spec']['clusterIP']} {_name(item['metadata']['namespace'], item['metadata']['name'])}"
    for piece in items:
        if piece["kind"] != "EndpointSlice":
            continue
        namespace = piece["metadata"]["namespace"]
        service = piece["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
        if (namespace, service) in headless:
            for endpoint in piece.get("endpoints") or []:
                if endpoint["conditions"].get("ready") or headless[namespace, service]:
                    yield from (f"{address} {_name(namespace, service)}" for address in endpoint["addresses"])


def _name(namespace: str, service: str) -> str:
    return f"{service}.{namespace}.svc.cluster.local"
