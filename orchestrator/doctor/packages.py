"""Check of the packages that each service needs."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from orchestrator.doctor.context import Context
from orchestrator.doctor.finding import Finding, bad, ok

_SELF = "steerscope"


def check_packages(context: Context) -> Iterator[Finding]:
    """The extra of every service that will run here."""
    for service in context.services:
        missing = sorted(_missing(service))
        if missing:
            remedy = f"pip install 'steerscope[{service}]', or `make env` in the repository"
            yield bad("packages", f"{service}: {', '.join(missing)}", remedy)
        else:
            yield ok("packages", f"{service}: all there")


def _missing(extra: str) -> Iterator[str]:
    """What the extra asks for and this environment lacks, extras inside it too."""
    try:
        declared = [Requirement(line) for line in requires(_SELF) or ()]
    except PackageNotFoundError:
        yield f"{_SELF} itself"
        return
    for requirement in declared:
        if requirement.marker is None or not requirement.marker.evaluate({"extra": extra}):
            continue
        if requirement.marker.evaluate({"extra": ""}):  # needed by all
            continue
        if requirement.name == _SELF:
            for inner in requirement.extras:
                yield from _missing(inner)
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            yield f"{requirement.name} is missing"
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            yield f"{requirement.name} is {found}, needed is {requirement.specifier}"
