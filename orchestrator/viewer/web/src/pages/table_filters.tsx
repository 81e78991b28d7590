// What narrows the table down, all of it in the address.
import { useState } from "preact/hooks";
import { BEST, type Filter, LABEL, type Order, type Table } from "../data/table";
import type { Catalog, MapDocument } from "../data/types";
import { useTyped } from "../hooks";
import { go, href, parse, set } from "../route";
import { count, jobOptions, plural, Select, spaced, titled } from "../ui/parts";

/** What the table is compared with: names of series, and the other job that some of them are of. */
export function compared(params: URLSearchParams): { names: string[]; otherJob: string | null } {
  const names = (params.get("cmp") ?? "").split(",").filter(Boolean);
  return { names, otherJob: names.find((name) => name.includes("~"))?.split("~")[0] ?? null };
}

const SCORE = "s."; // before a score, in addresses: s.iou=0.2..0.5

/** Both ends of a range as the address has them; an open end is empty. */
function endsOf(range: string): [string, string] {
  const [low = "", high = ""] = range.split("..");
  return [low, high];
}

export function filterOf(params: URLSearchParams): Omit<Filter, "q"> {
  const ranges: Filter["ranges"] = {};
  const labels: Filter["labels"] = {};
  for (const [key, value] of params) {
    const [kind, name] = [key.slice(0, 2), key.slice(2)];
    if (kind === SCORE) {
      const [low, high] = endsOf(value);
      ranges[name] = [low ? Number(low) : null, high ? Number(high) : null];
    } else if (kind === LABEL) labels[name] = value;
  }
  const cluster = params.get("cluster");
  return { outcome: params.get("outcome") ?? "", winner: params.get("winner") ?? "", cluster: cluster === null ? null : Number(cluster), ranges, labels };
}

export function orderOf(params: URLSearchParams): Order {
  const [key = "feature", series = "0"] = (params.get("sort") ?? "feature").replace(/^-/, "").split("@");
  return { key, series: Number(series), down: (params.get("sort") ?? "").startsWith("-") };
}

interface Props {
  table: Table; other: Table | undefined; catalog: Catalog; map: MapDocument | undefined; params: URLSearchParams; typed: string;
  onType: (text: string) => void; shown: number; onCsv: () => void; trouble: string; method: string;
}

export function Filters(props: Props) {
  const { table, params, map } = props;
  const [open, setOpen] = useState(false);
  const filter = filterOf(params);
  const methods: [string, string][] = table.doc.methods.map((one) => [one.id, one.label]);
  const shown: [string, string][] = table.hasBest ? [[BEST, "Best of each feature"], ...methods] : methods;
  const active = [...params.keys()].filter((key) => ["outcome", "winner", "cluster"].includes(key) || [SCORE, LABEL].includes(key.slice(0, 2)));
  const meaning = params.get("by") === "meaning";
  return (
    <section class="filters" aria-label="Search and filters">
      <div class="bar-row">
        <input
          type="search" value={props.typed} onInput={(event) => props.onType(event.currentTarget.value)} autocomplete="off" spellcheck={false}
          placeholder={meaning ? "Search by meaning: depth, something round…" : "Search the explanations, or a feature's id"} aria-label="Search the explanations"
        />
        {props.catalog.abilities.search ? (
          <button type="button" class="toggle" aria-pressed={meaning} onClick={() => set({ by: meaning ? null : "meaning" })} title="nearest in meaning, not by words">by meaning</button>
        ) : null}
        <Select label="Explanation shown" hideLabel value={props.method} options={shown} onChange={(value) => set({ m: value })} />
        <button type="button" class="toggle" aria-expanded={open} aria-pressed={open} onClick={() => setOpen(!open)}>Filter{active.length ? ` · ${active.length}` : ""}</button>
        <Compare {...props} />
        <button type="button" class="plain" onClick={props.onCsv} title="what is shown, as a file">CSV</button>
        <span class="count">{props.shown === table.size ? plural(table.size, "feature") : `${count(props.shown)} of ${count(table.size)}`}</span>
      </div>
      {props.trouble ? <p class="missing" role="alert"><bdi>{props.trouble}</bdi></p> : null}
      {active.length ? (
        <div class="active" aria-label="Filters in force">
          {active.map((key) => (
            <button type="button" class="pill" onClick={() => set({ [key]: null })} aria-label={`Remove the filter ${key}`}><bdi>{told(key, params.get(key) ?? "", props)}</bdi> ×</button>
          ))}
          <button type="button" class="plain" onClick={() => set(Object.fromEntries(active.map((key) => [key, null])))}>clear all</button>
        </div>
      ) : null}
      {open ? (
        <div class="drawer">
          {table.doc.scores.map((score) => <Range id={score.id} label={score.label} help={score.help} value={params.get(SCORE + score.id) ?? ""} />)}
          <Select label="Outcome" value={filter.outcome} options={[["", "any"], ...table.doc.outcomes.filter(Boolean).map((one): [string, string] => [one, spaced(one)])]} onChange={(value) => set({ outcome: value })} />
          {table.hasBest ? <Select label="Best method" value={filter.winner} options={[["", "any"], ...methods.filter(([id]) => table.doc.best.some((one) => table.doc.methods[one]?.id === id))]} onChange={(value) => set({ winner: value })} /> : null}
          {map ? <Select label="Cluster" value={filter.cluster === null ? "" : String(filter.cluster)} options={[["", "any"], ...map.clusters.map((one, at): [string, string] => [String(at), `${one.name} (${one.size})`])]} onChange={(value) => set({ cluster: value })} /> : null}
          {Object.entries(table.doc.labels).map(([kind, values]) => (
            <Select label={titled(kind)} value={filter.labels[kind] ?? ""} options={[["", "any"], ...[...new Set(values)].filter(Boolean).sort().map((one): [string, string] => [one, one])]} onChange={(value) => set({ [LABEL + kind]: value })} />
          ))}
        </div>
      ) : null}
    </section>
  );
}

function told(key: string, value: string, { table, map }: Props): string {
  if (key === "cluster") return `cluster: ${map?.clusters[Number(value)]?.name ?? value}`;
  if (key === "winner") return `best: ${table.nameOf(value)}`;
  if (key.startsWith(SCORE)) {
    const label = table.scoreKind(key.slice(SCORE.length))?.label ?? key.slice(SCORE.length);
    const [low, high] = endsOf(value);
    return low && high ? `${label} ${low}–${high}` : low ? `${label} ≥ ${low}` : `${label} ≤ ${high}`;
  }
  return `${key.startsWith(LABEL) ? key.slice(LABEL.length) : key}: ${spaced(value)}`;
}

function Range({ id, label, help, value }: { id: string; label: string; help: string; value: string }) {
  const ends = endsOf(value);
  const write = (end: 0 | 1) => (text: string) => {
    const both = endsOf(parse(location.hash).params.get(SCORE + id) ?? ""); // the other end may have changed meanwhile
    both[end] = text;
    set({ [SCORE + id]: both.some(Boolean) ? both.join("..") : null });
  };
  const [low, typeLow] = useTyped(ends[0], write(0), plain);
  const [high, typeHigh] = useTyped(ends[1], write(1), plain);
  return (
    <fieldset class="range" title={help}>
      <legend>{label}</legend>
      <input type="number" step="any" placeholder="min" aria-label={`${label} at least`} value={low} onInput={(event) => typeLow(event.currentTarget.value)} />
      <span aria-hidden="true">–</span>
      <input type="number" step="any" placeholder="max" aria-label={`${label} at most`} value={high} onInput={(event) => typeHigh(event.currentTarget.value)} />
    </fieldset>
  );
}

/** One form for each number; nothing for what is none. */
const plain = (text: string): string => (text.trim() === "" || Number.isNaN(Number(text)) ? "" : String(Number(text)));

function Compare({ table, other, catalog, params, method }: Props) {
  const { names: chosen, otherJob } = compared(params);
  const toggle = (name: string) => set({ cmp: (chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name]).join(",") });
  const jobs = catalog.jobs.filter((one) => one.id !== table.doc.job);
  const options = (of: Table, prefix: string): [string, string][] => [
    ...(of.hasBest ? [[`${prefix}${BEST}`, "Best of each feature"] as [string, string]] : []),
    ...of.doc.methods.map((one): [string, string] => [`${prefix}${one.id}`, one.label]),
  ];
  return (
    <details class="menu">
      <summary class="toggle">Compare{chosen.length ? ` · ${chosen.length}` : ""}</summary>
      <div class="pop">
        {options(table, "").filter(([id]) => id !== method).map(([id, label]) => <Check id={id} label={label} on={chosen.includes(id)} toggle={toggle} />)}
        {jobs.length ? (
          <Select
            label="Another job" value={otherJob ?? ""} options={jobOptions(jobs)}
            onChange={(value) => set({ cmp: [...chosen.filter((name) => !name.includes("~")), ...(value ? [`${value}~${method}`] : [])].join(",") })}
          />
        ) : null}
        {other ? options(other, `${other.doc.job}~`).map(([id, label]) => <Check id={id} label={label} on={chosen.includes(id)} toggle={toggle} />) : null}
        {chosen.length ? <Sorting table={table} chosen={chosen} params={params} /> : null}
        {chosen.length ? <button type="button" class="plain" onClick={() => go(href("table", "", { ...Object.fromEntries(params), cmp: null, sort: null }), true)}>End the comparison</button> : null}
      </div>
    </details>
  );
}

function Check({ id, label, on, toggle }: { id: string; label: string; on: boolean; toggle: (id: string) => void }) {
  return <label class="check"><input type="checkbox" checked={on} onChange={() => toggle(id)} /> <bdi>{label}</bdi></label>;
}

function Sorting({ table, chosen, params }: { table: Table; chosen: string[]; params: URLSearchParams }) {
  const options: [string, string][] = [["", "feature id"]];
  for (const score of table.doc.scores) {
    options.push([`-${score.id}`, `${score.label} of the first`]);
    chosen.forEach((name, at) => options.push([`-${score.id}@${at + 1}`, `${score.label} of ${name.replace("~", " / ")}`]));
  }
  return <Select label="Sort by" value={params.get("sort") ?? ""} options={options} onChange={(value) => set({ sort: value })} />;
}
