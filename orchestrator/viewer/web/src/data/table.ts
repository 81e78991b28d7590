// The table's document with the questions that pages ask of it.
import type { Method, TableDocument } from "./types";

export const BEST = "best";

/** One method of one job, or the best explanation of each feature. */
export interface Series { table: Table; method: string }

export class Table {
  readonly rowOf: Map<number, number>;
  private readonly methodOf: Map<string, Method>;
  private lower: string[] | undefined;

  constructor(readonly doc: TableDocument) {
    this.rowOf = new Map(doc.features.map((feature, row) => [feature, row]));
    this.methodOf = new Map(doc.methods.map((method) => [method.id, method]));
  }

  get size(): number {
    return this.doc.features.length;
  }

  get hasBest(): boolean {
    return this.doc.best.some((one) => one >= 0);
  }

  /** The method that is asked for, or where it is absent what to show first. */
  resolve(method: string | null): string {
    if (method && (method === BEST ? this.hasBest : this.methodOf.has(method))) return method;
    return this.hasBest ? BEST : (this.doc.methods[0]?.id ?? "");
  }

  /** The method whose explanation stands in a row. */
  methodAt(row: number, method: string): Method | undefined {
    if (method !== BEST) return this.methodOf.get(method);
    return this.doc.methods[this.doc.best[row] ?? -1];
  }

  textNumber(row: number, method: string): number {
    const found = this.methodAt(row, method);
    return found ? (this.doc.columns[found.id]?.text[row] ?? -1) : -1;
  }

  text(row: number, method: string): string {
    return this.doc.texts[this.textNumber(row, method)] ?? "";
  }

  outcome(row: number, method: string): string {
    const found = this.methodAt(row, method);
    const number = found ? (this.doc.columns[found.id]?.outcome[row] ?? -1) : -1;
    return number >= 0 ? (this.doc.outcomes[number] ?? "") : (this.doc.outcomes[this.doc.outcome[row] ?? -1] ?? "");
  }

  score(row: number, method: string, score: string): number | null {
    const found = this.methodAt(row, method);
    return found ? (this.doc.columns[found.id]?.scores[score]?.[row] ?? null) : null;
  }

  label(row: number, method: string, kind: string): string {
    return this.doc.labels[kind]?.[this.textNumber(row, method)] ?? "";
  }

  thumbs(row: number): string[] {
    return this.doc.images ? (this.doc.thumbs[row] ?? []).map((image) => `${this.doc.images}${image}.webp`) : [];
  }

  /** Which texts hold every word, as a flag per text; each text is looked at once, however many rows share it. */
  matching(words: string[]): Uint8Array {
    this.lower ??= this.doc.texts.map((text) => text.toLowerCase());
    return Uint8Array.from(this.lower, (text) => Number(words.every((word) => text.includes(word))));
  }
}

export interface Filter {
  q: string; outcome: string; cluster: number | null; winner: string;
  ranges: Record<string, [number | null, number | null]>; labels: Record<string, string>;
}

export interface Order { key: string; series: number; down: boolean }

/** Rows of the first series' table that pass the filter, in order. `clusterOf` is by feature; `ranked` replaces the words. */
export function select(
  series: Series[], filter: Filter, order: Order, clusterOf: Map<number, number> | null, ranked: Map<number, number> | null,
): number[] {
  const first = series[0];
  if (!first) return [];
  const { table, method } = first;
  const pass = passes(series, filter, clusterOf, ranked);
  const rows: number[] = [];
  for (let row = 0; row < table.size; row++) if (pass(row)) rows.push(row);
  if (ranked && order.key === "feature") {
    const place = (row: number) => ranked.get(table.doc.features[row] ?? -1) ?? Infinity;
    return rows.sort((a, b) => place(a) - place(b));
  }
  return sorted(rows, series[order.series] ?? first, table, order, method);
}

function passes(
  series: Series[], filter: Filter, clusterOf: Map<number, number> | null, ranked: Map<number, number> | null,
): (row: number) => boolean {
  const { table, method } = series[0] as Series;
  const words = ranked ? [] : filter.q.toLowerCase().split(/\s+/).filter(Boolean);
  const tables = new Map(series.map((one) => [one.table, words.length ? one.table.matching(words) : null]));
  const ranges = Object.entries(filter.ranges);
  const labels = Object.entries(filter.labels);
  const wordsIn = (row: number): boolean => {
    const feature = table.doc.features[row] as number;
    if (words.length === 1 && String(feature) === words[0]) return true;
    return series.some((one) => {
      const at = one.table === table ? row : (one.table.rowOf.get(feature) ?? -1);
      return at >= 0 && tables.get(one.table)?.[one.table.textNumber(at, one.method)] === 1;
    });
  };
  return (row) => {
    if (filter.outcome && table.outcome(row, method) !== filter.outcome) return false;
    if (filter.winner && table.methodAt(row, BEST)?.id !== filter.winner) return false;
    for (const [score, [low, high]] of ranges) {
      const value = table.score(row, method, score);
      if (value === null || (low !== null && value < low) || (high !== null && value > high)) return false;
    }
    const feature = table.doc.features[row] as number;
    if (filter.cluster !== null && clusterOf?.get(feature) !== filter.cluster) return false;
    for (const [kind, value] of labels) if (table.label(row, method, kind) !== value) return false;
    if (ranked) return ranked.has(feature);
    return words.length === 0 || wordsIn(row);
  };
}

function sorted(rows: number[], by: Series, table: Table, order: Order, method: string): number[] {
  if (order.key === "feature") return order.down ? rows.reverse() : rows;
  const sign = order.down ? -1 : 1;
  if (order.key === "text") {
    const key = rows.map((row) => table.text(row, method).toLowerCase());
    const places = rows.map((_, place) => place);
    const collate = new Intl.Collator("en").compare;
    return places.sort((a, b) => sign * collate(key[a] as string, key[b] as string)).map((place) => rows[place] as number);
  }
  const value = (row: number): number | null => {
    if (order.key === "frequency") return table.doc.frequency[row] ?? null;
    const at = by.table === table ? row : (by.table.rowOf.get(table.doc.features[row] as number) ?? -1);
    return at < 0 ? null : by.table.score(at, by.method, order.key);
  };
  const values = new Map(rows.map((row) => [row, value(row)]));
  // what has no value comes last, whichever way
  return rows.sort((a, b) => {
    const [one, two] = [values.get(a) ?? null, values.get(b) ?? null];
    if (one === null || two === null) return Number(one === null) - Number(two === null) || a - b;
    return sign * (one - two) || a - b;
  });
}
