"""The rules as a page for people: docs/reliability-rules.md."""

from __future__ import annotations

from collections.abc import Iterable

from tests.chaos.rules.removal import Removal

_HEAD = """# Every rule has a test that fails without it

The reliability rules of the design, where each stands in the code, and the test that holds it. `make rules` takes one
after the other out of a copy of the tree and sees that its test fails; the gate checks that every removal still
applies. This page is made by `python -m tests.chaos.rules --page > docs/reliability-rules.md`.

| rule | stands in | held by |
| --- | --- | --- |
"""


def page(rules: Iterable[Removal]) -> str:
    """Markdown: one line per rule."""
    return _HEAD + "".join(f"| {one.rule} | `{one.file}` | {_tests(one)} |\n" for one in rules)


def _tests(removal: Removal) -> str:
    return ", ".join(f"`{test.removeprefix('tests/')}`" for test in removal.tests)
