"""One made-up job for all tests, read only."""

import pytest

from orchestrator.analysis.sources import Sources
from orchestrator.analysis.statistics.choice import choose_best
from orchestrator.viewer.charting import Cartographer
from orchestrator.viewer.job_view import JobInfo, JobView
from tests.viewer import synthetic
from tests.viewer.fake_jobs import FakeJobs
from tests.viewer.serving import quick_clusters, quick_layout

JOB = "aaaaaaaaaaaa"
HOSTILE = "<img src=x onerror=alert(1)></script>\u202egnp.exe \u2028'\"=1+1"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> synthetic.Made:
    return synthetic.make(tmp_path_factory.mktemp("job"), 40, texts={7: HOSTILE})


@pytest.fixture(scope="session")
def view(made: synthetic.Made) -> JobView:
    info = JobInfo(JOB, "made up", "done", total=40)
    return JobView(info, made.results, Sources.of(made.results[0], made.store), choose=choose_best)


@pytest.fixture(scope="session")
def cartographer() -> Cartographer:
    return Cartographer(quick_layout, quick_clusters, FakeJobs().embed)
