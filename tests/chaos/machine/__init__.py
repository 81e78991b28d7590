"""The state machine on a simulated clock: its real scripts under thousands of schedules, without processes.

The Lua scripts run in fakeredis (a Lua interpreter over Python's data); `test_parity` replays the same schedules on a
real Redis. `make chaos-machine EXAMPLES=10000` runs the whole; `docs/chaos-machine.md` has its figures.
"""
