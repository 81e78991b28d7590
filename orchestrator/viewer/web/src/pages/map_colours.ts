// What colour a point has, and what the colours mean.
import { BEST, type Table } from "../data/table";
import type { MapDocument } from "../data/types";
import { figure } from "../ui/parts";

export type Colouring = "cluster" | "winner" | "score";
export interface Paint { of: string[]; legend: [string, string][]; cluster: (number: number) => string }

const STEPS = 6;
const GOLDEN = 137.508;

/** Neighbouring numbers get hues far apart, and three lightnesses in turn. */
export const clusterColour = (number: number): string => `oklch(${0.58 + 0.08 * (number % 3)} 0.14 ${(25 + number * GOLDEN) % 360})`;
const scoreColour = (share: number): string => `oklch(${0.82 - 0.4 * share} ${0.06 + 0.1 * share} ${230 - 60 * share})`;
const NONE = "oklch(0.7 0 0 / 0.6)";

/** A colour as a canvas understands it: custom properties and light-dark() worked out. */
function resolved(colour: string): string {
  const probe = document.createElement("span");
  probe.style.color = colour;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

export function colours(map: MapDocument, table: Table, by: Colouring, method: string, score: string): Paint {
  const rows = map.features.map((feature) => table.rowOf.get(feature) ?? -1);
  if (by === "winner") {
    const known = new Map(table.doc.methods.map((one) => [one.id, resolved(`var(--m-${one.slot}, ${NONE})`)]));
    const of = rows.map((row) => known.get(table.methodAt(row, BEST)?.id ?? "") ?? NONE);
    const present = table.doc.methods.filter((one) => table.doc.best.some((best) => table.doc.methods[best]?.id === one.id));
    return { of, legend: present.map((one) => [one.label, known.get(one.id) as string]), cluster: clusterColour };
  }
  if (by === "score") {
    const values = rows.map((row) => table.score(row, method, score));
    const sorted = values.filter((value): value is number => value !== null).sort((a, b) => a - b);
    const [low, high] = [sorted[0] ?? 0, sorted[Math.floor(sorted.length * 0.98)] ?? 1];
    const share = (value: number) => Math.max(0, Math.min(1, (value - low) / (high - low || 1)));
    const of = values.map((value) => (value === null ? NONE : scoreColour(share(value))));
    const steps = Array.from({ length: STEPS }, (_, step): [string, string] => [step === 0 ? figure(low) : step === STEPS - 1 ? figure(high) : "", scoreColour(step / (STEPS - 1))]);
    return { of, legend: steps, cluster: clusterColour };
  }
  return { of: map.cluster.map(clusterColour), legend: [], cluster: clusterColour };
}
