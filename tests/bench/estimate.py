"""An estimate against the run that it was made for, on simulated services of known latency.

`python -m tests.bench.estimate [FEATURES]` starts a deployment, measures with a small job, estimates a larger one,
runs it and prints both. Latencies are those of a device: they do not depend on how busy this machine is; the rest of
the pipeline does.
"""

import sys
import tempfile
from pathlib import Path

from protos.v1.jobs_pb2 import FeatureRange, JobSpec
from tests.simulation.deployment import Shape, deployment

LATENCIES = {"VLM": 400, "GENERATOR": 600, "SEGMENTER": 300, "SAE": 100, "CLIP": 50}  # ms a batch


def main(features: int) -> None:
    """Print the estimate and the run, in seconds."""
    environment = {f"STEERSCOPE_{name}_LATENCY_MS": str(value) for name, value in LATENCIES.items()}
    environment |= {f"STEERSCOPE_{name}_MAX_BATCH_SIZE": "8" for name in LATENCIES} | {"STEERSCOPE_SAE_FEATURES": "256"}
    with tempfile.TemporaryDirectory() as home, deployment(Path(home), Shape(environment=environment)) as running:
        running.finish(running.client.submit(JobSpec(feature_range=FeatureRange(start=0, stop=16))))
        spec = JobSpec(feature_range=FeatureRange(start=16, stop=16 + features))
        told = running.client.estimate(spec)
        job = running.finish(running.client.submit(spec))
    took = job.finished - job.created
    seconds = told.seconds
    print(f"estimate {seconds.low:.1f} … {seconds.likely:.1f} … {seconds.high:.1f} s, the run {took:.1f} s")
    print(f"ratio likely / run: {seconds.likely / took:.2f}")
    for stage in told.stages:
        print(f"  {stage.stage} {stage.model}: {stage.rows.likely:.0f} rows at {1000 * stage.seconds_per_row:.1f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 48)
