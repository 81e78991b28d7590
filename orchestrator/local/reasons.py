"""Why a service could not start, read from its log, and what to do about it."""

import json
import re
from collections.abc import Mapping

_REPOSITORY = re.compile(r"huggingface\.co/(?:api/models/)?([\w.-]+/[\w.-]+)")
# What a log holds → what to do. The first that is found counts; {repository} is the hub repository that the log names.
_REMEDIES: Mapping[str, str] = {
    r"gated repo|GatedRepoError": (
        "accept the licence at https://huggingface.co/{repository} with your account, then give its token: "
        "`hf auth login`, or HF_TOKEN=… in the environment of `steerscope up`"
    ),
    r"Repository Not Found|RepositoryNotFoundError|401 Client Error": (
        "the hub knows no {repository}, or shows it only to those who may see it: check the name, give a token by "
        "`hf auth login` or HF_TOKEN=…, and accept the licence on its page"
    ),
    r"OfflineModeIsEnabled|offline mode is enabled|LocalEntryNotFoundError|couldn't connect to|HF_HUB_OFFLINE"
    r"|not fully cached|cached snapshot|Name or service not known|ConnectError|ConnectTimeout": (
        "weights are not in the hub's cache, and the hub does not answer: connect once (HF_HUB_OFFLINE must not be "
        "set then), or give a folder as the model; HF_HOME tells where the cache lies"
    ),
    r"No space left on device": "free some disk, or set HF_HOME to a larger one",
    r"OutOfMemoryError|out of memory": (
        "the card is full: another `device` for some services, a smaller profile (`one-card`), or dtype = bfloat16"
    ),
    r"torch sees no GPU|Torch not compiled with CUDA": (
        "install the CUDA build of torch (`steerscope doctor` tells which one is here), or set device = cpu"
    ),
    r"No module named '([\w.]+)'": "a package is missing: install the extra of the service, `steerscope[{service}]`",
}


def remedy_of(log: str, service: str) -> str | None:
    """What to do about the failure that `log` tells of; None if it is none of those known."""
    for pattern, remedy in _REMEDIES.items():
        if re.search(pattern, log, re.IGNORECASE):
            repository = _REPOSITORY.search(log)
            name = repository[1] if repository else "the repository that the log names"
            return remedy.format(repository=name, service=service.removeprefix("oracle_"))
    return None


def readable(log: str) -> str:
    """A log as a person reads it: of JSON lines the event and the last line of a traceback; other lines as they are."""
    return "\n".join(_readable(line) for line in log.splitlines())


def _readable(line: str) -> str:
    try:
        content = json.loads(line)
        event, lines = content["event"], str(content.get("exception", "")).strip().splitlines()
    except (ValueError, TypeError, KeyError):
        return line
    last = f" ({lines[-1].strip()})" if lines and lines[-1].strip() not in event else ""
    return f"{content.get('level', 'info')}: {event}{last}"
