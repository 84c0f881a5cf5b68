"""A cluster with the suite's images, for the tests of this folder: `make test-cluster`, and nothing else, runs them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.node import Cluster, fresh

ROOT = Path(__file__).parents[2]
if "ROSSIO_CLUSTER" not in os.environ:
    collect_ignore = ["test_installation.py"]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster(fresh(ROOT / ".rossio" / "cluster")) as made:
        made.load(ROOT / ".images" / "rossio.tar")
        yield made
