"""On a device with little room: the encoder's passes halve until they fit, rows keep their own steering."""

import torch

from services.serving import portions
from tests.unit.vlm.test_vlm_explain import NEW as PARAMETERS
from tests.unit.vlm.test_vlm_explain import THREE_IMAGES as MIXED


def test_a_pass_that_does_not_fit_is_halved(served, monkeypatch):
    explain = served(images_per_pass=16)["explain"]
    expected = explain.run(MIXED, PARAMETERS)
    subject, seen = explain._subject, []
    resume = subject.resume
    monkeypatch.setattr(portions, "release_memory", lambda: None)

    def small(h):
        seen.append(len(h))
        if len(h) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return resume(h)

    monkeypatch.setattr(subject, "resume", small)
    assert [row.text for row in explain.run(MIXED, PARAMETERS)] == [row.text for row in expected]
    assert max(seen) > 2 and seen[-1] <= 2


def test_weights_leave_with_the_cached_streams_and_come_back(served):
    explain = served()["explain"]
    expected = explain.run(MIXED, PARAMETERS)
    assert explain._prefixes.bytes
    explain.sleep()
    assert explain._prefixes.bytes == 0
    explain.wake()
    assert explain.run(MIXED, PARAMETERS) == expected
