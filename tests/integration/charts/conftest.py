"""Helm and the image, once for all tests of the charts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import image
from tests.support.charts import Helm
from tests.support.clusters import Cluster
from tests.support.image import Image

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Give a helm that only renders."""
    return Helm(tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Give the image, after all steps of the Dockerfile."""
    image.check_supported()
    return image.build(ROOT / "Dockerfile", tmp_path_factory.mktemp("image"))


@pytest.fixture
def east(two_clusters: tuple[Cluster, Cluster]) -> Cluster:
    """Give a whole cluster."""
    return two_clusters[0]
