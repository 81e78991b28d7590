"""Running one batch in the compute thread, and what becomes of it when something fails."""

import logging
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from services.serving.errors import DeviceLostError, OutOfMemoryError, ServingError
from services.serving.faults import Fault, error_id, fault_of
from services.serving.model import Parameters, ServedModel
from services.serving.portions import Portions
from services.serving.residence import Residence

logger = logging.getLogger(__name__)


def run_batch(
    model: ServedModel[Any, Any],
    rows: Sequence[Any],
    owners: Sequence[int],
    parameters: Parameters,
    portions: Portions | None = None,
) -> list[Any]:
    """One result or one `ServingError` per row; `owners[i]` tells which request row i belongs to.

    Rows that do not fit into memory together run in the portions that do; `portions` remembers their size. When rows
    of several requests fail otherwise, the requests run one by one, so that a bad row costs only its own. Never raises.
    """

    def run(positions: Sequence[int]) -> list[Any]:
        answer = _attempt(model, [rows[i] for i in positions], parameters)
        if not isinstance(answer, ServingError):
            return answer
        if isinstance(answer, OutOfMemoryError) and len(positions) > 1:
            raise answer
        groups = [list(group) for _, group in groupby(positions, key=owners.__getitem__)]
        if len(groups) > 1 and not isinstance(answer, DeviceLostError):
            return [outcome for group in groups for outcome in run(group)]
        return [answer] * len(positions)

    return (portions or Portions()).run(run, range(len(rows)))


def wake_and_run(
    residence: Residence,
    model: ServedModel[Any, Any],
    rows: Sequence[Any],
    owners: Sequence[int],
    parameters: Parameters,
    portions: Portions,
) -> list[Any]:
    """As `run_batch`, for a model whose weights may have left the device."""
    try:
        residence.wake(model)
    except Exception as error:
        return [_translate(model, len(rows), error)] * len(rows)
    return run_batch(model, rows, owners, parameters, portions)


def _translate(model: ServedModel[Any, Any], count: int, error: Exception) -> ServingError:
    """What the caller is told of an exception of the model on `count` rows; internals go to the log."""
    if isinstance(error, ServingError):
        return error.with_traceback(None)
    name, fault, reference = model.spec.name, fault_of(error), error_id()
    if fault is Fault.OUT_OF_MEMORY:
        logger.warning("model %s: no memory for %d rows (error id %s: %s)", name, count, reference, str(error))
        return OutOfMemoryError(
            f"model {name!r}: {count} {'row does' if count == 1 else 'rows do'} not fit into the device's memory; "
            f"{model.memory_advice} (error id {reference})"
        )
    logger.error("model %s failed on %d rows (%s, error id %s)", name, count, fault.value, reference, exc_info=error)
    if fault is Fault.DEVICE_LOST:
        return DeviceLostError(f"the device failed and the service restarts; try again (error id {reference})")
    return ServingError(f"model {name!r} failed inside (error id {reference})")


def _attempt(model: ServedModel[Any, Any], rows: Sequence[Any], parameters: Parameters) -> list[Any] | ServingError:
    try:
        results = list(model.run(rows, parameters))
        if len(results) != len(rows):
            raise TypeError(f"{type(model).__name__}.run gave {len(results)} results for {len(rows)} rows")
    except Exception as error:
        return _translate(model, len(rows), error)
    return results
