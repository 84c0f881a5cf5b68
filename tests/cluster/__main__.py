"""`python -m tests.cluster [COMMAND ...]`: a cluster with the images loaded, for as long as COMMAND (a shell) runs."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.cluster.node import Cluster, fresh

ROOT = Path(__file__).parents[2]

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that it goes down as it does at the end
    with Cluster(fresh(ROOT / ".rossio" / "cluster")) as cluster:
        archive = ROOT / ".images" / "rossio.tar"
        if archive.exists():
            cluster.load(archive)
        print(f"KUBECONFIG={cluster.kubeconfig}", flush=True)
        command = sys.argv[1:] or ["bash"]
        sys.exit(subprocess.run(cluster.inside(*command), env=cluster.environment, check=False).returncode)
