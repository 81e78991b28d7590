"""`python -m tests.chaos.machine --examples 10000`: so many schedules, and what was done in them."""

from __future__ import annotations

import argparse
import time
from collections import Counter

from tests.chaos.machine.schedule import run_schedules
from tests.chaos.machine.simulation import Simulation

_CHUNK = 250  # hypothesis remembers all schedules of a run, to try none twice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000, help="schedules to run")
    parser.add_argument("--seed", type=int, default=0, help="of the first chunk")
    given = parser.parse_args()
    counts: Counter[str] = Counter()
    simulation, began, seed = Simulation(), time.monotonic(), given.seed
    while counts["schedules"] < given.examples:
        size = min(_CHUNK, given.examples - counts["schedules"])
        counts += run_schedules(simulation, size, seed)
        spent = f"{time.monotonic() - began:.0f} s, {time.process_time():.0f} s of CPU"
        print(f"seed {seed}: {counts['schedules']} schedules, {counts['steps']} steps, {spent}", flush=True)
        seed += 1
    print(f"{counts['items']} items of {counts['jobs']} jobs: all ended, 0 lost, 0 doubled, results as the reference's")
    for what, count in counts.most_common():
        print(f"{count:>9} {what}")


if __name__ == "__main__":
    main()
