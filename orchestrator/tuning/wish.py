"""What a tuning is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.analysis.judge import Judge, load_judge
from orchestrator.tuning.criteria import Criterion
from orchestrator.tuning.errors import TuningError
from orchestrator.tuning.grid import Strength, strengths_of
from protos.v1.jobs_pb2 import Job
from services.serving.profile import Profile


@dataclass(frozen=True)
class Wish:
    """Which strengths, by which criterion, on how many features, from which profile (`base` is its name or path)."""

    strengths: Sequence[Strength]
    criterion: Criterion
    features: int
    seed: int
    base: str
    profile: Profile
    job: str = ""  # the job to analyse again

    def judge(self) -> Judge | None:
        """The profile's judge, where the criterion needs one. Raises TuningError if there is none."""
        if self.criterion.kind != "judged":
            return None
        judge = load_judge(self.profile.section("judge"))
        if judge is None:
            raise TuningError(f"criterion: {self.criterion.name} needs a judge, and profile {self.base!r} has none")
        return judge

    def again(self, job: Job) -> "Wish":
        """The same of what a job has tried. Raises TuningError if it has tried no grid."""
        tried = strengths_of(job.spec.variants)
        if not tried:
            raise TuningError(f"job: {job.id} has tried no grid of alphas; give a job of `steerscope tune`")
        return replace(self, strengths=tried, job=job.id)

    def command(self) -> str:
        """The command that gives this again."""
        if self.job:
            return f"steerscope tune --job {self.job} --criterion {self.criterion.name}"
        names = ",".join(name for strength in self.strengths for name in strength.variants)
        grids = {strength.alphas for strength in self.strengths}
        shared = f" --alphas {','.join(f'{alpha:g}' for alpha in grids.pop())}" if len(grids) == 1 else ""
        rest = f"--features {self.features} --seed {self.seed} --criterion {self.criterion.name}"
        return f"steerscope tune --variant {names}{shared} {rest}"
