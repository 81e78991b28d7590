"""What `steerscope export` puts into its folder, made as the command makes it."""

import pytest

from orchestrator.store import ArtifactStore, StageCache
from orchestrator.viewer import wiring
from orchestrator.viewer.documents.images import NoPictureError, top_image
from orchestrator.viewer.job_view import NoArtifactsError
from orchestrator.viewer.naming import ask_names
from tests.unit.viewer.conftest import JOB
from tests.viewer import synthetic
from tests.viewer.fake_jobs import FakeJobs
from tests.viewer.serving import FakeLabeller, quick_clusters, quick_layout


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> synthetic.Made:
    """In a store of its own, in which nobody has asked for names."""
    return synthetic.make(tmp_path_factory.mktemp("job"), 24)


@pytest.fixture
def jobs(made, monkeypatch) -> FakeJobs:
    """No UMAP here: the layout is another room's."""
    monkeypatch.setattr(wiring, "layout", quick_layout)
    monkeypatch.setattr(wiring, "clusters", quick_clusters)
    fake = FakeJobs()
    fake.add(JOB, made.results, name="made up")
    return fake


def test_a_site_has_names_and_labels(jobs, made):
    given = [(jobs.get(JOB), made.results)]
    jobs.label("dddddddddddd", {"a striped red star": "other"})
    before = wiring.site_data(given, made.store, jobs, "Mine")
    (view,) = before.jobs
    assert before.labels == {"subject": {"a striped red star": "other"}} and before.title == "Mine"
    assert view.atlas is not None and view.atlas.named_by == "words"
    asked = ask_names(view.atlas, view.shown_texts, FakeLabeller(), StageCache(made.store))
    (again,) = wiring.site_data(given, made.store, jobs).jobs
    assert again.atlas is not None and again.atlas.names == asked.names and again.atlas.named_by == "explainer"


def test_without_an_api_words_are_compared(jobs, made):
    data = wiring.site_data([(jobs.get(JOB), made.results)], made.store)
    assert data.jobs[0].atlas is not None and data.jobs[0].atlas.source == "words" and data.labels == {}


def test_artifacts_of_elsewhere_are_named(jobs, made, tmp_path):
    elsewhere = ArtifactStore(str(tmp_path / "elsewhere"))
    with pytest.raises(NoArtifactsError, match=f"job {JOB} are not in .*elsewhere: index"):
        wiring.site_data([(jobs.get(JOB), made.results)], elsewhere, jobs)


def test_an_index_without_its_arrays_is_named_before_anything_is_written(jobs, tmp_path):
    made = synthetic.make(tmp_path, 3)
    index = wiring.indexes(made.store).get("test")
    lost = made.store.local_path(index.record.arrays)
    assert lost is not None
    lost.unlink()
    with pytest.raises(NoArtifactsError, match=f"index {index.id} has lost"):
        wiring.site_data([(jobs.get(JOB), made.results)], made.store, jobs)


def test_images_are_read_below_the_deployments_roots(made, monkeypatch, tmp_path):
    monkeypatch.setenv("STEERSCOPE_IMAGE_ROOTS", str(tmp_path))
    name = made.results[0].provenance.settings["explain_index"]
    with pytest.raises(NoPictureError, match="outside"):
        top_image(wiring.indexes(made.store).get(name), 0)
