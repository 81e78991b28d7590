"""Running one batch in the compute thread, and what becomes of it when something fails."""

import logging
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from services.serving.errors import DeviceLostError, OverloadedError, ServingError
from services.serving.faults import Fault, error_id, fault_of, release_memory
from services.serving.model import Parameters, ServedModel

logger = logging.getLogger(__name__)


class OutOfMemoryError(OverloadedError):
    """The batch did not fit into the device's memory."""


def run_batch(
    model: ServedModel[Any, Any],
    rows: Sequence[Any],
    owners: Sequence[int],
    parameters: Parameters,
    *,
    may_halve: bool = True,
) -> list[Any]:
    """One result or one `ServingError` per row; `owners[i]` tells which request row i belongs to.

    A batch that does not fit into memory is halved once. When a batch of several requests fails otherwise, the
    requests run one by one, so that a bad row costs only its own. Never raises.
    """
    answer = _attempt(model, rows, parameters)
    if not isinstance(answer, ServingError):
        return answer
    if isinstance(answer, OutOfMemoryError):
        release_memory()
        if may_halve and len(rows) > 1:
            middle = len(rows) // 2
            parts = (slice(0, middle), slice(middle, None))
            return [
                outcome
                for part in parts
                for outcome in run_batch(model, rows[part], owners[part], parameters, may_halve=False)
            ]
    elif not isinstance(answer, DeviceLostError) and len(set(owners)) > 1:
        outcomes: list[Any] = []
        for _, positions in groupby(range(len(rows)), key=owners.__getitem__):
            own = list(positions)
            part = slice(own[0], own[-1] + 1)
            outcomes += run_batch(model, rows[part], owners[part], parameters, may_halve=may_halve)
        return outcomes
    return [answer] * len(rows)


def _attempt(model: ServedModel[Any, Any], rows: Sequence[Any], parameters: Parameters) -> list[Any] | ServingError:
    try:
        results = list(model.run(rows, parameters))
        if len(results) != len(rows):
            raise TypeError(f"{type(model).__name__}.run gave {len(results)} results for {len(rows)} rows")
    except ServingError as error:
        return error.with_traceback(None)
    except Exception as error:
        return _translate(model, len(rows), error)
    return results


def _translate(model: ServedModel[Any, Any], count: int, error: Exception) -> ServingError:
    name, fault, reference = model.spec.name, fault_of(error), error_id()
    if fault is Fault.OUT_OF_MEMORY:
        # The text only: a record that keeps the exception would keep the memory of its frames.
        logger.warning("model %s: %d rows do not fit into memory (%s)", name, count, str(error))
        return OutOfMemoryError(f"model {name!r}: {count} rows do not fit into the device's memory; send fewer rows")
    logger.error("model %s failed on %d rows (%s, error id %s)", name, count, fault.value, reference, exc_info=error)
    if fault is Fault.DEVICE_LOST:
        return DeviceLostError(f"the device failed and the service restarts; try again (error id {reference})")
    return ServingError(f"model {name!r} failed inside (error id {reference})")
