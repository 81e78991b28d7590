"""Check of the run: a hub repository of SAEs holds one per layer, of which one must be named."""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from orchestrator.doctor.context import Context
from orchestrator.doctor.finding import Finding, bad, warn
from services.serving.weights import Source

_WEIGHTS = (".pt", ".safetensors", ".npz")
_SHOWN = 20


def check_sae_run(context: Context) -> Iterator[Finding]:
    """Nothing where a run is named, or the files lie at the top. Bad locations are `check_weights`' to tell."""
    text = str(context.setting("sae", "sae") or "")
    if "sae" not in context.services or context.setting("sae", "sae_subfolder") or text.startswith("package:"):
        return
    files = _files(context, text)
    runs = sorted({str(PurePosixPath(file).parent) for file in files if file.endswith(_WEIGHTS)})
    if "." in runs or "trainer_0" in runs:
        return
    remedy = "set [sae] sae_subfolder, or STEERSCOPE_SAE_SAE_SUBFOLDER, to one of its runs"
    if runs:
        shown = ", ".join(run.removesuffix("/trainer_0") for run in runs[:_SHOWN])
        yield bad("sae run", f"{text} holds several: {shown}", remedy)
    else:
        yield warn(
            "sae run", f"{text}: the profile names no run of it", f"{remedy}; the sae service's error lists them"
        )


def _files(context: Context, text: str) -> Sequence[str]:
    """The files of the SAE's place, as far as they can be listed here."""
    try:
        source = Source.parse(text)
    except ValueError:
        return ()
    folder = Path(source.location) if Path(source.location).exists() else None
    if folder is None and source.location.count("/") == 1:
        if not context.hub.offline and (listed := context.hub.remote(source.location, source.revision, ()).files):
            return listed
        folder = context.hub.cached(source.location, source.revision)
    return [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()] if folder else ()
