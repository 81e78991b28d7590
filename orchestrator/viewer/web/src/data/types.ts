// The documents, as orchestrator/viewer/documents builds them.
export interface Method { id: string; label: string; role: string; slot: string; steered: boolean; informed: boolean }
export interface ScoreKind { id: string; label: string; help: string }
export interface Abilities { live: boolean; explain: boolean; probe: boolean; search: boolean; names: boolean }

export interface Job {
  id: string; name: string; state: string; total: number; created: number; started: number; finished: number;
  items: Record<string, number>; outcomes: Record<string, number>; ended: boolean;
}
export interface Catalog { schema: number; title: string; abilities: Abilities; jobs: Job[]; steered: Method[] }

export interface Column { text: number[]; outcome: number[]; scores: Record<string, (number | null)[]> }
export interface About {
  models?: Record<string, string>; sets?: Record<string, string>; settings?: Record<string, string>; seed?: number; software?: string;
}
export interface TableDocument {
  job: string; methods: Method[]; scores: ScoreKind[]; features: number[]; alive: number[]; frequency: number[];
  validation: number[]; outcome: number[]; best: number[]; columns: Record<string, Column>; texts: string[];
  outcomes: string[]; labels: Record<string, string[]>; images: string; thumbs: number[][]; about: About;
}

export interface Cluster { name: string; size: number; x: number; y: number }
export interface MapDocument {
  job: string; source: string; named_by: string; features: number[]; x: number[]; y: number[]; cluster: number[]; clusters: Cluster[];
}

export interface Score { value: number | null; outcome: string; reason: string; parts: number[] }
export interface Drawn { src: string; activation: number; seed: string }
export interface Explanation {
  method: Method; best: boolean; outcome: string; reason: string; text: string; raw: string; tokens: number;
  logprob: number | null; truncated: boolean; scores: Record<string, Score>; generated: Record<string, Drawn[]>;
}
export interface Picture { src: string; path: string; score: number; positions: number[]; values: number[] }
export interface Histogram { images: number; silent: number; edges: number[]; counts: number[]; top: number[] }
export interface Neighbour { feature: number; cosine: number; text: string; thumb: string }
export type Tint = "green" | "viridis";
export interface FeatureDocument {
  job: string; feature: number; alive: boolean; frequency: number; outcome: string; reason: string; validation: boolean;
  explanations: Explanation[]; grid: [number, number]; strength: number; tint: Tint; explain: Picture[]; test: Picture[];
  histogram: Histogram | null; near: { texts: Neighbour[]; directions: Neighbour[] }; seconds: Record<string, number>; seed: number;
}

export interface Fired { feature: number; score: number; positions: number[]; values: number[] }
export interface Probe { grid: [number, number]; fired: number; features: Fired[] }
export interface Hit { feature: number; variants: string[]; text: string; cosine: number }
export interface Told { variant: string; outcome: string; reason: string; text: string; logprob: number | null }
