"""The page on the paper's models: its commands, profiles and settings are those that there are."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer

from orchestrator.cli.main import app
from services.serving.profile import profile_names
from tests.bench.gpu.page import NOT_YET
from tests.unit.profiles.test_profiles import SERVICES

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "paper-on-your-gpus.md").read_text("utf-8")
COMMANDS = [
    line.strip()
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if line.strip().startswith("steerscope ")
]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_parses(line):
    words = shlex.split(line, comments=True)[1:]
    group = typer.main.get_command(app)
    context = group.make_context("steerscope", list(words), resilient_parsing=True)
    name, command, rest = group.resolve_command(context, words)
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, rest)
    if name != "train":  # its options are the training's own
        command.make_context(name, rest)


def test_the_profiles_named_there_exist():
    named = set(re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE))
    assert named == set(profile_names()) - {"microworld", "microworld-oracle"}


def test_the_profile_shown_there_can_be_read():
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    shown = tomllib.loads(text)
    assert shown.pop("extends") in profile_names()
    assert set(shown.pop("sets")) == {"images", "split"}
    for section, values in shown.items():
        assert set(values) <= set(SERVICES[section].model_fields)


def test_the_bench_page_has_figures_or_says_that_it_has_none():
    text = (DOCS / "gpu-bench.md").read_text("utf-8")
    assert (NOT_YET in text) != ("| service | work |" in text)
