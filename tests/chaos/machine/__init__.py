"""The state machine on a simulated clock: its real scripts under thousands of schedules, without processes.

The Lua scripts run in a Lua interpreter on Python's data (`memory.py`); `test_parity` replays the same schedules on a
real Redis. `make chaos-machine EXAMPLES=10000` runs the whole; `docs/chaos-machine.md` has its figures.
"""
