"""An estimate for people: a row per stage and model, the whole below, and what is not known."""

from collections.abc import Callable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from protos.v1.jobs_pb2 import EstimateResponse, Span, StageEstimate

_UNKNOWN = "[yellow]unknown[/]"
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def show_estimate(told: EstimateResponse, console: Console) -> None:
    """Print it."""
    console.print(estimate_table(told))
    seconds = _span(told.seconds, _time) if told.HasField("seconds") else _UNKNOWN
    console.print(f"time: [bold]{seconds}[/] with {told.threads} items at once")
    console.print(f"device: {_device(told)}")
    disk = _span(told.disk_bytes, _bytes) if told.HasField("disk_bytes") else _UNKNOWN
    console.print(f"disk: {disk} · generated images: {_span(told.generated_images, _number)}")
    for note in told.notes:
        console.print(f"[yellow]·[/] {escape(note)}", highlight=False)


def estimate_table(told: EstimateResponse) -> Table:
    """A row per stage and model; three values are low, likely and high."""
    counted = f", counted on {told.rehearsed}" if told.rehearsed else ""
    table = Table(
        "stage",
        "model",
        "calls",
        "rows",
        "cached",
        "ms a row",
        "measured on",
        "replicas",
        "device time",
        title=f"{told.items} items{counted} (low … likely … high)",
    )
    for stage in told.stages:
        table.add_row(*_row(stage))
    return table


def _row(stage: StageEstimate) -> tuple[str, ...]:
    known = stage.HasField("seconds_per_row")
    here = stage.model == "worker"
    return (
        stage.stage,
        escape(stage.model),
        "–" if here else _span(stage.calls, _number),
        _span(stage.rows, _number),
        "–" if here else f"{stage.cached_share:.0%}",
        f"{1000 * stage.seconds_per_row:.3g}" if known else _UNKNOWN,
        f"{stage.measured_rows} rows" + (f", batches of {stage.mean_batch:.1f}" if stage.mean_batch else ""),
        "–" if here else str(stage.replicas),
        _span(stage.device_seconds, _time) if known else _UNKNOWN,
    )


def _device(told: EstimateResponse) -> str:
    """The sum over the services' models; unknown if one of them that is needed is."""
    served = [stage for stage in told.stages if stage.model != "worker" and stage.rows.high]
    if not all(stage.HasField("device_seconds") for stage in served):
        return _UNKNOWN
    low, likely, high = (sum(getattr(one.device_seconds, pick) for one in served) for pick in ("low", "likely", "high"))
    return _span(Span(low=low, likely=likely, high=high), _time)


def _span(span: Span, shown: Callable[[float], str]) -> str:
    low, likely, high = (shown(value) for value in (span.low, span.likely, span.high))
    return likely if low == high else f"{low} … {likely} … {high}"


def _number(value: float) -> str:
    return f"{value:,.0f}"


def _time(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.2g} s"


def _bytes(value: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"
