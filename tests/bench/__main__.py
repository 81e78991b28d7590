"""`make bench`: prints the table of ratios."""

from functools import partial

import torch
from rich.console import Console
from rich.table import Table

import services  # noqa: F401  (the torchvision shim)
from tests.bench.indexing import indexing_bench
from tests.bench.steering import steering_bench
from tests.bench.timing import fastest

TURNS = 3


def main() -> None:
    torch.set_num_threads(1)
    table = Table("work", "per", "ours (ms)", "plain loop (ms)", "bare model (ms)", "loop / ours", "bare / ours")
    for make in (steering_bench, indexing_bench, partial(indexing_bench, "yes")):
        bench = make()
        best = fastest(bench, TURNS)
        each = {name: 1000 * seconds / bench.count for name, seconds in best.items()}
        ours, loop, bare = each["ours"], each["plain loop"], each["bare model"]
        figures = [f"{value:.2f}" for value in (ours, loop, bare)]
        table.add_row(bench.name, bench.unit, *figures, f"{loop / ours:.1f}×", f"{bare / ours:.1f}×")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
