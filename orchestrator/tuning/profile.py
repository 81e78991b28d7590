"""The pick in the profile: `[jobs] steering.alpha`, `informed.alpha` and `[validation]`, the rest of the file kept."""

import os
import tempfile
import textwrap
from collections.abc import Iterable, Mapping, MutableMapping
from importlib import resources
from pathlib import Path
from typing import Any, cast

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable, Item

from orchestrator.pipeline.defaults import JobDefaults, ValidationSettings
from orchestrator.tuning.errors import TuningError
from orchestrator.tuning.grid import DEFAULT_GRIDS
from orchestrator.tuning.record import Tuning
from services.serving.profile import Profile, ProfileError, load_profile, profile_names

SECTION = "validation"
_SUBJECT = (("vlm", "model"), ("vlm", "layer"), ("sae", "model"), ("sae", "sae"))  # what α depends on
_WIDTH = 110


def target(base: str, write: Path | None) -> Path:
    """The file that the pick goes to: `write`; else the base itself where it is a file of the user's,
    `./NAME-tuned.toml` for a profile that comes with the program, which is never written to. Raises TuningError."""
    if write is None:
        return Path(f"{Path(base).stem}-tuned.toml") if _packaged(base) else Path(base)
    if write.suffix != ".toml":
        raise TuningError(f"write: {write} must end in .toml, as every profile does")
    if _packaged(str(write)):
        raise TuningError(f"write: {write} comes with the program; give a file of your own")
    return write


def check(file: Path, base: Profile) -> None:
    """Raise TuningError if `file` exists and is no profile of the base's subject and SAE, whose α is another."""
    if not file.exists():
        if not file.absolute().parent.is_dir():
            raise TuningError(f"write: there is no folder {file.parent}; make it first")
        return
    try:
        found = load_profile(str(file.absolute()))
        tomlkit.parse(file.read_text("utf-8"))
    except (ProfileError, TOMLKitError) as error:
        raise TuningError(f"write: {file} is there and is no profile ({error}); give another file") from error
    for section, key in _SUBJECT:
        if found.section(section).get(key) != base.section(section).get(key):
            rule = f"{file} has another [{section}] {key} than {base.name!r}, which is tuned"
            raise TuningError(f"write: {rule}; give another file")


def validation_features(base: str, profile: Profile, sae: str) -> tuple[int, ...]:
    """The features that the profile's α was chosen on. Raises TuningError if they are not of the SAE that is served:
    the server does not draw a sample then."""
    settings = ValidationSettings.resolve(profile.section(SECTION))
    if not settings.fits(sae):
        rule = f"the [validation] features of {base} are of another SAE ({settings.sae}) than the one served ({sae})"
        raise TuningError(f"profile: {rule}; remove the section, start the stack again, and tune")
    return tuple(sorted(settings.features))


def write_profile(tuning: Tuning, base: str, file: Path) -> None:
    """Write the picks into `file`: all or nothing; what else it says, its comments too, stays as it is.

    A new file extends `base`. Raises TuningError if the file cannot hold them.
    """
    text = updated(file.read_text("utf-8") if file.exists() else None, tuning, base, file)
    handle, name = tempfile.mkstemp(dir=file.absolute().parent, prefix=f".{file.stem}-", suffix=".toml")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).chmod(file.stat().st_mode & 0o777 if file.exists() else 0o644)  # mkstemp's is private
        _verify(load_profile(name), tuning, file)
        Path(name).replace(file)
    finally:
        Path(name).unlink(missing_ok=True)


def updated(text: str | None, tuning: Tuning, base: str, file: Path) -> str:
    """The profile's new text; `text` is the old one, None for a new file. A pick's line says where it comes from."""
    document = tomlkit.parse(text) if text is not None else _new(base, file)
    jobs, validation = _table(document, "jobs"), _table(document, SECTION)
    for pick in tuning.picks:
        strength = _table(jobs, pick.name)
        strength["alpha"] = pick.alpha
        strength["unit"] = tuning.origin.units[pick.name]
        line = validation if isinstance(strength, InlineTable) else cast(MutableMapping[str, Item], strength)["alpha"]
        cast(Item, line).comment(_comment(tuning))
    validation["features"] = _wrapped(_features(tuning, validation))
    validation["sae"] = tuning.origin.sae
    return tomlkit.dumps(document)


def _features(tuning: Tuning, before: Mapping[str, Any]) -> list[int]:
    """The features of this tuning; those of earlier ones too, where the file may keep an α that they gave."""
    partial = len(tuning.picks) < len(DEFAULT_GRIDS) and before.get("sae") == tuning.origin.sae
    return sorted({*tuning.origin.features, *(before.get("features", ()) if partial else ())})


def _new(base: str, file: Path) -> tomlkit.TOMLDocument:
    path = base not in profile_names()
    document = tomlkit.document()
    document.add("extends", tomlkit.item(f"./{os.path.relpath(base, file.absolute().parent)}" if path else base))
    document.add(tomlkit.nl())
    return document


def _table(parent: Any, name: str) -> MutableMapping[str, Any]:
    """The table `name` of a document or table, made if it is missing. Raises TuningError if it is something else."""
    if name not in parent:
        inline = isinstance(parent, InlineTable)
        parent[name] = tomlkit.inline_table() if inline else tomlkit.table(is_super_table=name == "jobs")
    found = parent[name]
    if not isinstance(found, MutableMapping):
        raise TuningError(f"write: {name!r} of the profile is no table, but {found!r}; remove it")
    return found


def _wrapped(features: Iterable[int]) -> Item:
    """The ids as an array that breaks its lines."""
    lines = textwrap.wrap(", ".join(map(str, features)), _WIDTH, initial_indent="  ", subsequent_indent="  ")
    return cast(Item, tomlkit.parse("features = [\n" + "\n".join(lines) + ",\n]\n")["features"])


def _comment(tuning: Tuning) -> str:
    origin = tuning.origin
    return f"α by {tuning.criterion.name}, {origin.date}, job {origin.job}: {origin.command}"


def _verify(written: Profile, tuning: Tuning, file: Path) -> None:
    """Read back what was written, as every process will."""
    JobDefaults.resolve(written.section("jobs"))
    right = all(written.section("jobs")[pick.name]["alpha"] == pick.alpha for pick in tuning.picks)
    kept = ValidationSettings.resolve(written.section(SECTION)).features
    if not right or not set(tuning.origin.features) <= set(kept):
        raise TuningError(f"write: {file} cannot hold the pick as it is written now; give another file")


def _packaged(base: str) -> bool:
    """Whether a profile comes with the program, by name or by path."""
    shipped = Path(str(resources.files("services.profiles")))
    return base in profile_names() or Path(base).absolute().parent.resolve() == shipped.resolve()
