"""The table of rules does not rot: every removal applies to the code as it is, and the tests it names are there."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.rules.page import page
from tests.chaos.rules.table import RULES

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("removal", RULES, ids=lambda removal: removal.rule)
def test_a_rule_can_still_be_taken_out(removal):
    without = removal.applied(ROOT)
    if removal.file.endswith(".py"):
        ast.parse(without)


@pytest.mark.parametrize("test", sorted({test for removal in RULES for test in removal.tests}))
def test_the_tests_that_hold_it_are_there(test):
    file, _, name = test.partition("::")
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in functions or (not name and functions)


def test_every_rule_has_a_name_of_its_own():
    assert Counter(removal.rule for removal in RULES).most_common(1)[0][1] == 1


def test_the_page_is_up_to_date():
    assert (ROOT / "docs/reliability-rules.md").read_text("utf-8") == page(RULES)
