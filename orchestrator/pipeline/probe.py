"""Which features fire on an image that is in no set, and where: one call of the sae service."""

import numpy as np

from orchestrator.pipeline.plan import PlanError
from orchestrator.remote import Calls, ModelFacts
from orchestrator.remote.calls import RefusedInput
from protos.v1.jobs_pb2 import FiredFeature, ProbeRequest, ProbeResponse
from services.sae.spec import INDEX, IndexQuery

_DEFAULT_LIMIT = 32


def probe(request: ProbeRequest, facts: ModelFacts, calls: Calls) -> ProbeResponse:
    """The features with the highest S(i, I), ties by lower id, and their sparse maps.

    Raises PlanError for an image that the service refuses, and what `Calls.infer` raises.
    """
    query = IndexQuery((request.image,), np.zeros(facts.dict_size, np.float32))
    try:
        (hits,) = calls.infer("sae", INDEX, [query], {"residuals": "no"})
    except RefusedInput as error:
        raise PlanError("image", str(error), "give a JPEG, PNG or WebP image") from error
    limit = request.limit or _DEFAULT_LIMIT
    best = np.lexsort((hits.feature, -hits.score))[:limit]
    fired = [
        FiredFeature(
            feature=int(hits.feature[row]),
            score=float(hits.score[row]),
            positions=hits.position[hits.offset[row] : hits.offset[row + 1]].tolist(),
            values=hits.value[hits.offset[row] : hits.offset[row + 1]].tolist(),
        )
        for row in best.tolist()
    ]
    return ProbeResponse(grid=facts.grid, features=fired, fired=len(hits.feature))
