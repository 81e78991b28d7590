// The table's document with the questions that pages ask of it.
import type { Method, ScoreKind, TableDocument } from "./types";

export const BEST = "best";

/** One method of one job, or the best explanation of each feature. */
export interface Series { table: Table; method: string }

/** The words of a search, in small letters. */
export const wordsOf = (typed: string): string[] => typed.toLowerCase().split(/\s+/).filter(Boolean);

/** The row of a series that shows the same feature as a row of the first series; −1 if its job has none. */
export const rowIn = (one: Series, first: Series, row: number): number =>
  one.table === first.table ? row : (one.table.rowOf.get(first.table.doc.features[row] ?? -1) ?? -1);

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

  /** What people call a method. */
  nameOf(method: string): string {
    return method === BEST ? "Best explanation" : (this.methodOf.get(method)?.label ?? method);
  }

  scoreKind(score: string): ScoreKind | undefined {
    return this.doc.scores.find((one) => one.id === score);
  }

  /** The kinds of labels that texts of this job have. */
  get kinds(): string[] {
    return Object.keys(this.doc.labels);
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

  /** Which texts hold every word (of `wordsOf`), a flag per text; each text is looked at once, however many rows share it. */
  matching(words: string[]): Uint8Array {
    this.lower ??= this.doc.texts.map((text) => text.toLowerCase());
    return Uint8Array.from(this.lower, (text) => Number(words.every((word) => text.includes(word))));
  }
}

export interface Filter {
  q: string; outcome: string; cluster: number | null; winner: string;
  ranges: Record<string, [number | null, number | null]>; labels: Record<string, string>;
}

/** `key` is `feature`, `text`, `frequency`, `l.KIND` for a label, or a score. */
export interface Order { key: string; series: number; down: boolean }

export const LABEL = "l."; // before a label's kind, in sort keys and addresses

/** Rows of the first series' table that pass the filter, in order. `clusterOf` is by feature; `ranked` replaces the words. */
export function select(
  series: Series[], filter: Filter, order: Order, clusterOf: Map<number, number> | null, ranked: Map<number, number> | null,
): number[] {
  const first = series[0];
  if (!first) return [];
  const { table } = first;
  const pass = passes(series, filter, clusterOf, ranked);
  const rows: number[] = [];
  for (let row = 0; row < table.size; row++) if (pass(row)) rows.push(row);
  if (ranked && order.key === "feature") {
    const place = (row: number) => ranked.get(table.doc.features[row] ?? -1) ?? Infinity;
    return rows.sort((a, b) => place(a) - place(b));
  }
  return sorted(rows, series[order.series] ?? first, first, order);
}

function passes(
  series: Series[], filter: Filter, clusterOf: Map<number, number> | null, ranked: Map<number, number> | null,
): (row: number) => boolean {
  const first = series[0] as Series;
  const { table, method } = first;
  const words = ranked ? [] : wordsOf(filter.q);
  const tables = new Map(series.map((one) => [one.table, words.length ? one.table.matching(words) : null]));
  const ranges = Object.entries(filter.ranges);
  const labels = Object.entries(filter.labels);
  const wordsIn = (row: number): boolean => {
    const feature = table.doc.features[row] as number;
    if (words.length === 1 && String(feature) === words[0]) return true;
    return series.some((one) => {
      const at = rowIn(one, first, row);
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

function sorted(rows: number[], by: Series, first: Series, order: Order): number[] {
  if (order.key === "feature") return order.down ? rows.reverse() : rows;
  const { table, method } = first;
  if (order.key === "text") return alphabetically(rows, (row) => table.text(row, method).toLowerCase(), order.down);
  if (order.key.startsWith(LABEL)) return alphabetically(rows, (row) => table.label(row, method, order.key.slice(LABEL.length)), order.down);
  const score = (row: number): number | null => {
    if (order.key === "frequency") return table.doc.frequency[row] ?? null;
    const at = rowIn(by, first, row);
    return at < 0 ? null : by.table.score(at, by.method, order.key);
  };
  return along(rows, score, order.down);
}

const collate = new Intl.Collator("en").compare;

/** Rows by a text of each. Comparing is slow, and many rows say the same: each text is put into its place once. */
function alphabetically(rows: number[], textOf: (row: number) => string, down: boolean): number[] {
  const texts = new Map(rows.map((row) => [row, textOf(row)]));
  const places = new Map([...new Set(texts.values())].filter(Boolean).sort(collate).map((text, place) => [text, place]));
  return along(rows, (row) => places.get(texts.get(row) ?? "") ?? null, down);
}

/** Rows by a value of each; what has none comes last, whichever way. */
function along(rows: number[], valueOf: (row: number) => number | null, down: boolean): number[] {
  const sign = down ? -1 : 1;
  const valued: [number, number][] = [];
  const none: number[] = [];
  for (const row of rows) {
    const value = valueOf(row);
    if (value === null) none.push(row);
    else valued.push([row, value]);
  }
  valued.sort(([a, one], [b, two]) => sign * (one - two) || a - b);
  return [...valued.map(([row]) => row), ...none];
}
