"""Lines of calls: few work at a time, those who cannot be answered in time are refused, lines do not touch."""

import threading
import time
from contextlib import ExitStack

import pytest

from orchestrator.api.turns import BusyError, Turns


def hold(turns, method, stack):
    """A call at work until the stack ends."""
    stack.enter_context(turns.turn(method, None))


def waiting(turns, method, done):
    """A thread in line for `method`, which tells in `done` when it had its turn."""

    def call():
        with turns.turn(method, 60):
            done.release()

    thread = threading.Thread(target=call, daemon=True)
    before = turns._lines[method].waiting
    thread.start()
    while turns._lines[method].waiting == before:
        time.sleep(0.001)
    return thread


def test_who_has_time_waits_in_line():
    turns, done = Turns(1), threading.Semaphore(0)
    with ExitStack() as stack:
        hold(turns, "Get", stack)
        thread = waiting(turns, "Get", done)
        assert not done.acquire(timeout=0.05)
    assert done.acquire(timeout=10)
    thread.join(10)


def test_a_call_is_refused_when_line_and_work_take_more_than_half_of_its_time():
    turns, done = Turns(2), threading.Semaphore(0)
    for _ in range(9):
        turns._lines["Submit"].mean.observe(4.0)
    with ExitStack() as stack:
        hold(turns, "Submit", stack)
        hold(turns, "Submit", stack)
        threads = [waiting(turns, "Submit", done) for _ in range(3)]
        # three ahead, two at a time, four seconds each: six seconds, and four of its own
        with pytest.raises(BusyError, match=r"Submit: about 10 s to its end, with those in line, and 19 s are left"):
            turns._queue_up("Submit", 19)
        turns._queue_up("Submit", 21)
    assert all(done.acquire(timeout=10) for _ in threads)


def test_the_first_in_line_is_let_in_however_long_others_took():
    turns = Turns(1)
    for _ in range(9):
        turns._lines["Submit"].mean.observe(60.0)
    with turns.turn("Submit", 1.0):
        pass
    assert turns._lines["Submit"].mean.value < 60


def test_who_has_too_little_time_left_after_the_line_is_refused_while_others_wait():
    turns, ended = Turns(1), threading.Semaphore(0)
    outcomes = {}

    def call(name, time_left):
        try:
            with turns.turn("Submit", time_left):
                outcomes[name] = "worked"
        except BusyError as error:
            outcomes[name] = str(error)
        ended.release()

    with ExitStack() as stack:
        hold(turns, "Submit", stack)
        for name, time_left in (("short", 30.0), ("long", 900.0)):
            threading.Thread(target=call, args=(name, time_left), daemon=True).start()
            while turns._lines["Submit"].waiting < len(outcomes) + (1 if name == "short" else 2):
                time.sleep(0.001)
        turns._lines["Submit"].mean.observe(60.0)  # it takes longer than when they came
        turns._lines["Submit"].places.release()  # both have their turn, in order
        assert ended.acquire(timeout=10)
        assert ended.acquire(timeout=10)
        turns._lines["Submit"].places.acquire()
    assert "30 s are left after the line, and it takes 60 s" in outcomes["short"]
    assert outcomes["long"] == "worked"


def test_no_deadline_is_no_error_of_the_lock():
    """gRPC's `time_remaining` of a call without a deadline (grpc/_server.py)."""
    turns, done = Turns(1), threading.Semaphore(0)
    with ExitStack() as stack:
        hold(turns, "Get", stack)
        thread = threading.Thread(target=lambda: turn_and_tell(turns, done), daemon=True)
        thread.start()
        assert not done.acquire(timeout=0.05)
    assert done.acquire(timeout=10)


def turn_and_tell(turns, done):
    with turns.turn("Get", 9.2e18):
        done.release()


def test_a_line_is_short_because_every_place_in_it_is_a_thread():
    turns, done = Turns(2), threading.Semaphore(0)
    with ExitStack() as stack:
        hold(turns, "Submit", stack)
        hold(turns, "Submit", stack)
        threads = [waiting(turns, "Submit", done) for _ in range(8)]
        with pytest.raises(BusyError, match="8 calls are in line"):
            turns._queue_up("Submit", None)
    assert all(done.acquire(timeout=10) for _ in threads)


def test_time_that_passes_in_line_is_an_error():
    turns = Turns(1)
    with ExitStack() as stack:
        hold(turns, "Get", stack)
        with pytest.raises(BusyError, match="passed in line"), turns.turn("Get", 0.02):
            pass
    with turns.turn("Get", 5):  # and the place is free again
        pass


def test_methods_have_lines_of_their_own():
    turns = Turns(1)
    with ExitStack() as stack:
        hold(turns, "Submit", stack)
        with turns.turn("Get", 0.5):
            pass


def test_a_fault_gives_its_place_back():
    turns = Turns(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="bad"), turns.turn("Get", 5):
            raise ValueError("bad")
