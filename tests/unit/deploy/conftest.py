import pytest

from tests.unit.deploy.kustomize import RENDERINGS, rendered


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    return {name: tmp_path_factory.mktemp(name) for name in RENDERINGS}


@pytest.fixture(params=list(RENDERINGS))
def objects(request, folders):
    """What is applied to the cluster, for one way of putting overlays and components together."""
    return rendered(request.param, folders[request.param])


@pytest.fixture
def scaled(folders):
    return rendered("cpu-one-node-scaled", folders["cpu-one-node-scaled"])


@pytest.fixture
def real(folders):
    return rendered("gpu", folders["gpu"])
