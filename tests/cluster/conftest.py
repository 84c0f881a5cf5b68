"""A cluster with the suite's images, for the tests of this folder: `make test-cluster`, and nothing else, runs them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.node import Cluster, fresh

ROOT = Path(__file__).parents[2]
# In this order: one installation goes through all of them.
LIFE = ("test_images", "test_installation", "test_network", "test_tls", "test_removal")
if "ROSSIO_CLUSTER" not in os.environ:
    collect_ignore = [f"{name}.py" for name in LIFE]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LIFE.index(item.path.stem) if item.path.stem in LIFE else -1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster(fresh(ROOT / ".rossio" / "cluster")) as made:
        made.load(ROOT / ".images" / "rossio.tar")
        yield made
