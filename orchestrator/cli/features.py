"""Which features: by ids and ranges, a sample, or all."""

from dataclasses import dataclass

from orchestrator.cli.console import CommandError
from protos.v1.jobs_pb2 import FeatureRange, FeatureSample, JobSpec


@dataclass(frozen=True)
class FeatureChoice:
    """Exactly one of the three ways."""

    listed: str | None
    sample: int | None
    everything: bool
    seed: int | None

    def write(self, spec: JobSpec) -> None:
        """Put the choice into `spec`. Raises CommandError unless exactly one way is given."""
        given = [self.listed is not None, self.sample is not None, self.everything]
        if sum(given) != 1:
            raise CommandError("features: give exactly one of --features, --sample and --all")
        if self.everything:
            spec.all_features = True
        elif self.sample is not None:
            spec.feature_sample.CopyFrom(FeatureSample(count=self.sample, seed=self.seed or 0))
        else:
            _write_listed(self.listed or "", spec)


def listed_features(listed: str) -> list[int]:
    """Ids and ranges by comma, rising and without doubles. Raises CommandError."""
    return sorted({feature for span in _spans(listed) for feature in span})


def _write_listed(listed: str, spec: JobSpec) -> None:
    spans = _spans(listed)
    if len(spans) == 1 and len(spans[0]) > 1:
        spec.feature_range.CopyFrom(FeatureRange(start=spans[0].start, stop=spans[0].stop))
        return
    spec.feature_ids.extend(listed_features(listed))


def _spans(listed: str) -> list[range]:
    spans = [_span(part.strip()) for part in listed.split(",") if part.strip()]
    if not spans:
        raise CommandError("features: the list is empty; give ids and ranges such as 3,17,40-55")
    return spans


def _span(part: str) -> range:
    first, dash, last = part.partition("-")
    try:
        start = int(first)
        stop = int(last) + 1 if dash else start + 1
    except ValueError:
        raise CommandError(f"features: {part!r} is neither an id nor a range such as 40-55") from None
    if stop <= start:
        raise CommandError(f"features: the range {part!r} is empty; write it as {last}-{first}")
    return range(start, stop)
