// The list that prev and next walk through: what the table showed last, else all features of the job.
let kept: { job: string; features: number[]; from: string } | null = null;

export const walk = {
  set(job: string, features: number[], from: string): void {
    kept = { job, features, from };
  },
  of(job: string, all: number[], feature: number): { features: number[]; from: string | null } {
    if (kept && kept.job === job && kept.features.includes(feature)) return { features: kept.features, from: kept.from };
    return { features: all, from: null };
  },
};
