"""Admission: the bounds hold at every moment, and everything taken is given back."""

import threading
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.serving.admission import Admission
from services.serving.errors import CancelledError, InvalidInputError, OverloadedError


def inside(admission):
    return admission.requests, admission.bytes, admission.pixels


def test_places_are_given_back_also_after_a_fault():
    admission = Admission(2, 100, 1000)
    with pytest.raises(KeyError), admission.admit(60) as permit:
        permit.add_pixels(900)
        assert inside(admission) == (1, 60, 900)
        raise KeyError
    assert inside(admission) == (0, 0, 0)


def test_each_bound_refuses_and_then_admits_again():
    admission = Admission(2, 100, 1000)
    with admission.admit(10):
        with admission.admit(10), pytest.raises(OverloadedError, match="2 requests are inside"), admission.admit(10):
            pass
        with pytest.raises(OverloadedError, match="10 bytes of requests are inside"), admission.admit(95):
            pass
        with admission.admit(90) as permit:
            permit.add_pixels(600)
            with pytest.raises(OverloadedError, match="600 pixels are inside"):
                permit.add_pixels(401)
            permit.add_pixels(400)
    assert inside(admission) == (0, 0, 0)


def test_what_can_never_fit_is_bad_input_and_not_overload():
    admission = Admission(2, 100, 1000)
    with pytest.raises(InvalidInputError, match="101 bytes; at most 100"), admission.admit(101):
        pass
    with admission.admit(1) as permit, pytest.raises(InvalidInputError, match="1001 pixels in all; at most 1000"):
        permit.add_pixels(1001)


def test_a_thread_that_still_decodes_for_a_gone_request_takes_no_room():
    admission = Admission(2, 100, 1000)
    with admission.admit(1) as permit:
        pass
    with pytest.raises(CancelledError):
        permit.add_pixels(10)
    assert inside(admission) == (0, 0, 0)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 600)), max_size=20))
def test_the_bounds_are_never_passed(requests):
    admission = Admission(3, 100, 1000)
    with ExitStack() as stack:
        for size, pixels in requests:
            try:
                stack.enter_context(admission.admit(size)).add_pixels(pixels)
            except OverloadedError:
                continue
            finally:
                assert all(have <= most for have, most in zip(inside(admission), (3, 100, 1000), strict=True))
    assert inside(admission) == (0, 0, 0)


def test_many_threads_leave_nothing_behind():
    admission = Admission(1000, 10**6, 10**6)

    def work():
        for _ in range(200):
            with admission.admit(3) as permit:
                permit.add_pixels(7)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside(admission) == (0, 0, 0)


def test_the_pushback_grows_with_the_time_that_requests_stay(monkeypatch):
    admission, clock = Admission(1, 10, 10), iter(range(0, 10**6, 4))
    assert admission.pushback_ms() == 50
    monkeypatch.setattr("services.serving.admission.time.monotonic", lambda: next(clock))
    for _ in range(100):
        with admission.admit(1):
            pass
    assert admission.pushback_ms() == pytest.approx(2000, rel=0.01)
