import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { call, drop } from "../data/source";
import { type Table, wordsOf } from "../data/table";
import type { MapDocument } from "../data/types";
import { useKeys, useMap, useMedia, useTable, useTyped } from "../hooks";
import type { PageProps } from "../main";
import { go, href, set } from "../route";
import { Thumbs } from "../ui/images";
import { Chip, Empty, figure, plural, Segments, Select, Text, Trouble, Waiting } from "../ui/parts";
import { bySize, Chart } from "./map_chart";
import { colours, type Colouring } from "./map_colours";
import { walk } from "./walk";

const NAMERS: Record<string, string> = { words: "their words", explainer: "the language model", grammar: "the grammar of the made world" };

export function MapPage({ catalog, job, params, round }: PageProps) {
  const [again, setAgain] = useState(0);
  const { value: table, error } = useTable(job, round);
  const { value: map, error: trouble } = useMap(table ? job : null, again);
  if (error ?? trouble) return <Trouble error={(error ?? trouble) as Error} />;
  if (!table) return <Waiting what="Reading the features…" />;
  if (!map) return <Waiting what="Laying out the explanations. The first time takes a minute or so for ten thousand…" />;
  if (!map.features.length) return <Empty title="Nothing to map yet"><p>No finished feature of this job has an explanation.</p></Empty>;
  return <Explorer job={job} map={map} table={table} params={params} naming={catalog.abilities.names && map.named_by === "words" ? () => setAgain((old) => old + 1) : null} />;
}

function Explorer({ job, map, table, params, naming }: { job: string; map: MapDocument; table: Table; params: URLSearchParams; naming: (() => void) | null }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [at, setAt] = useState<{ point: number; x: number; y: number } | null>(null);
  const [typed, setTyped] = useTyped(params.get("q") ?? "", (text) => set({ q: text }));
  const chart = useRef<Chart | null>(null);
  const by = (params.get("by") ?? "cluster") as Colouring;
  const score = params.get("score") ?? table.doc.scores[0]?.id ?? "";
  const method = table.resolve(params.get("m"));
  const cluster = params.get("cluster") === null ? null : Number(params.get("cluster"));
  const dark = useMedia("(prefers-color-scheme: dark)");
  const [theme, setTheme] = useState(0);
  useEffect(() => {
    const change = () => setTheme((old) => old + 1);
    addEventListener("themechange", change);
    return () => removeEventListener("themechange", change);
  }, []);
  const paint = useMemo(() => colours(map, table, by, method, score), [map, table, by, method, score, dark, theme]);
  const lit = useMemo(() => {
    const words = wordsOf(typed);
    if (!words.length && cluster === null) return null;
    const matching = table.matching(words);
    return Uint8Array.from(map.features, (feature, point) => {
      const row = table.rowOf.get(feature) ?? -1;
      const told = !words.length || matching[table.textNumber(row, method)] === 1 || String(feature) === typed.trim();
      return Number(told && (cluster === null || map.cluster[point] === cluster));
    });
  }, [map, table, method, typed, cluster]);

  const open = (point: number) => {
    const order = lit ? map.features.filter((_, one) => lit[one]) : table.doc.features;
    walk.set(job, [...order].sort((a, b) => a - b), location.hash);
    go(href("feature", map.features[point] as number, { job: params.get("job") }));
  };
  const latest = useRef(open);
  latest.current = open;
  useEffect(() => {
    if (!canvas.current) return;
    const made = new Chart(canvas.current, map, setAt, (point) => latest.current(point));
    chart.current = made;
    return () => made.destroy();
  }, [map]);
  useEffect(() => chart.current?.show(paint.of, lit), [map, paint, lit]);
  useEffect(() => {
    if (cluster !== null) chart.current?.frame(map.cluster.flatMap((one, point) => (one === cluster ? [point] : [])));
  }, [map, cluster]);
  useKeys((key, event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key] as [number, number] | undefined;
    if (event.target instanceof Element && event.target.closest("[role=radiogroup], button")) return false;
    if (way) chart.current?.step(...way);
    else if (key === "Enter" && at) open(at.point);
    else if (key === "+" || key === "=") chart.current?.zoom(1.5);
    else if (key === "-") chart.current?.zoom(1 / 1.5);
    else if (key === "0") chart.current?.reset();
    else return false;
    return true;
  });
  const order = useMemo(() => bySize(map), [map]);
  const options: [Colouring, string][] = [["cluster", "Cluster"], ...(table.hasBest ? [["winner", "Best method"] as [Colouring, string]] : []), ...(score ? [["score", "Score"] as [Colouring, string]] : [])];
  return (
    <div class="map-page">
      <div class="chart">
        <canvas ref={canvas} tabIndex={0} role="application" aria-label={`Map of ${plural(map.features.length, "feature")}: arrow keys move, Enter opens, plus and minus zoom`} />
        {at ? <Hover at={at} map={map} table={table} method={method} score={score} job={params.get("job")} /> : null}
        <div class="legend" aria-label="Legend">{paint.legend.map(([label, colour]) => <span><i style={{ background: colour }} /> {label}</span>)}</div>
        <div class="zoom"><button type="button" class="icon" aria-label="Zoom in" onClick={() => chart.current?.zoom(1.6)}>+</button><button type="button" class="icon" aria-label="Zoom out" onClick={() => chart.current?.zoom(1 / 1.6)}>−</button><button type="button" class="icon" aria-label="Show all" onClick={() => { set({ cluster: null }); chart.current?.reset(); }}>⤢</button></div>
      </div>
      <aside class="side" aria-label="Map settings and clusters">
        <input type="search" value={typed} placeholder="Light up what holds…" aria-label="Light up explanations that hold these words" onInput={(event) => setTyped(event.currentTarget.value)} autocomplete="off" spellcheck={false} />
        <p class="dim small" role="status">{lit ? `${plural(lit.reduce((sum, one) => sum + one, 0), "feature")} lit` : plural(map.features.length, "feature")}</p>
        <Segments label="Colour by" value={by} options={options} onChange={(value) => set({ by: value === "cluster" ? null : value })} />
        {by === "score" ? <Select label="Score" value={score} options={table.doc.scores.map((one) => [one.id, one.label])} onChange={(value) => set({ score: value })} /> : null}
        <h2>Clusters</h2>
        {naming ? <Names job={job} done={naming} /> : null}
        <ul class="clusters">
          {order.map((one) => (
            <li><button type="button" aria-pressed={one.number === cluster} onClick={() => set({ cluster: one.number === cluster ? null : one.number })}>
              <i style={{ background: paint.cluster(one.number) }} /><bdi class="line">{one.name}</bdi><span class="dim number">{one.size}</span>
            </button></li>
          ))}
        </ul>
        <p class="dim small">{map.source === "sentences" ? "Laid out by what the sentences mean." : "Laid out by the words that texts share; no sentence model was in reach."} Cluster names come from {NAMERS[map.named_by] ?? map.named_by}.{cluster !== null ? <> <a href={href("table", "", { job: params.get("job"), cluster })}>This cluster as a table</a></> : null}</p>
      </aside>
    </div>
  );
}

/** A labeller gives the clusters names, as a job of the deployment: only when somebody asks. */
function Names({ job, done }: { job: string; done: () => void }) {
  const [state, setState] = useState("");
  const ask = () => {
    setState("asking");
    call(`/api/names/${encodeURIComponent(job)}`, { method: "POST" }).then(
      () => { drop(`${job}/map`); done(); },
      (fault: Error) => setState(fault.message),
    );
  };
  if (state === "asking") return <p class="dim small" role="status"><span class="spinner inline" aria-hidden="true" /> The model is naming them…</p>;
  return <p class="small">{state ? <span class="missing" role="alert"><bdi>{state}</bdi> </span> : null}<button type="button" class="plain flush" onClick={ask}>Ask the model for names</button></p>;
}

function Hover({ at, map, table, method, score, job }: { at: { point: number; x: number; y: number }; map: MapDocument; table: Table; method: string; score: string; job: string | null }) {
  const feature = map.features[at.point] as number;
  const row = table.rowOf.get(feature) ?? -1;
  const shown = table.methodAt(row, method);
  const kind = table.scoreKind(score);
  return (
    <div class={`hover ${at.x > 0.6 ? "left" : ""} ${at.y > 0.6 ? "up" : ""}`} style={{ left: `${at.x * 100}%`, top: `${at.y * 100}%` }} role="status">
      <div class="pics"><Thumbs table={table} row={row} /></div>
      <p class="said"><Text text={table.text(row, method)} /></p>
      <p class="under"><a href={href("feature", feature, { job })}>Feature {feature}</a>{shown ? <Chip method={shown} small /> : null}{kind ? <span class="dim">{kind.label} {figure(table.score(row, method, kind.id))}</span> : null}</p>
      <p class="dim small"><bdi>{map.clusters[map.cluster[at.point] as number]?.name}</bdi></p>
    </div>
  );
}
