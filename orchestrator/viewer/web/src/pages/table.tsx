import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { download, toCsv } from "../data/csv";
import { call } from "../data/source";
import { rowIn, select, type Series, type Table, wordsOf } from "../data/table";
import type { Hit } from "../data/types";
import { useKeys, useMap, useMedia, useTable, useTyped } from "../hooks";
import type { PageProps } from "../main";
import { go, href, set } from "../route";
import { Empty, plural, Trouble, Waiting } from "../ui/parts";
import { compared, filterOf, Filters, orderOf } from "./table_filters";
import { Head, leastWidth, Row } from "./table_rows";
import { useRows } from "./virtual";
import { walk } from "./walk";

/** A series' name in the address: METHOD, or JOB~METHOD of another job. */
export function seriesOf(names: string[], here: Table, others: Map<string, Table>): Series[] {
  return names.flatMap((name) => {
    const [job, method] = name.includes("~") ? (name.split("~", 2) as [string, string]) : [here.doc.job, name];
    const table = job === here.doc.job ? here : others.get(job);
    return table ? [{ table, method: table.resolve(method) }] : [];
  });
}

export function TablePage({ catalog, job, params, round }: PageProps) {
  const { value: table, error } = useTable(job, round);
  const { names, otherJob } = compared(params);
  const { value: other } = useTable(otherJob, round);
  const { value: map, clusterOf } = useMap(table ? job : null);
  const narrow = useMedia("(max-width: 700px)");
  const [typed, setTyped] = useTyped(params.get("q") ?? "", (text) => set({ q: text })); // the rows are there at once
  const [hits, setHits] = useState<{ q: string; hits: Hit[]; error?: string } | null>(null);
  const [chosen, show] = useState(-1);
  const latest = useRef(-1); // keys may come faster than pages are drawn
  const setChosen = (place: number) => show((latest.current = place));
  const scroller = useRef<HTMLDivElement>(null);

  const method = table?.resolve(params.get("m")) ?? "";
  const meaning = catalog.abilities.search && params.get("by") === "meaning";
  useEffect(() => {
    if (!meaning || !typed.trim()) return setHits(null);
    const stop = new AbortController();
    const timer = setTimeout(() => {
      const query = new URLSearchParams({ job, q: typed.trim() });
      call<Hit[]>(`/api/search?${query}`, { signal: stop.signal })
        .then((found) => setHits({ q: typed, hits: found }), (fault: Error) => stop.signal.aborted || setHits({ q: typed, hits: [], error: fault.message }));
    }, 300);
    return () => { clearTimeout(timer); stop.abort(); };
  }, [meaning, typed, job]);

  const filter = { ...filterOf(params), q: typed };
  const order = orderOf(params);
  const series = useMemo<Series[]>(() => {
    if (!table) return [];
    return [{ table, method }, ...seriesOf(names, table, new Map(other ? [[other.doc.job, other]] : []))];
  }, [table, other, method, params.get("cmp")]);
  const ranked = useMemo(() => {
    if (!hits || hits.error) return null;
    const places = new Map<number, number>();
    hits.hits.forEach((hit, place) => places.has(hit.feature) || places.set(hit.feature, place));
    return places;
  }, [hits]);
  const query = params.toString();
  const rows = useMemo(() => select(series, filter, order, clusterOf, ranked), [series, query, typed, clusterOf, ranked]);
  const words = meaning ? [] : wordsOf(typed);
  const height = narrow ? 104 + 46 * (series.length - 1) : series.length > 1 ? 72 : 60;
  const virtual = useRows(scroller, rows.length, height);

  useEffect(() => {
    if (table) walk.set(job, rows.map((row) => table.doc.features[row] as number), location.hash);
  }, [table, rows]);
  useEffect(() => setChosen(-1), [query, typed]);
  const open = (row: number) => table && go(href("feature", table.doc.features[row] as number, { job: params.get("job"), also: otherJob }));
  useKeys((key) => {
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[key];
    if (step) {
      const next = Math.max(0, Math.min(rows.length - 1, latest.current + step));
      setChosen(next);
      virtual.show(next);
    } else if (key === "Enter" && latest.current >= 0) open(rows[latest.current] as number);
    else return false;
    return true;
  });

  if (error) return <Trouble error={error} />;
  if (!table) return <Waiting what="Reading the features…" />;
  if (table.size === 0) return <Empty title="No feature is finished yet"><p>They appear here as they end. <a href={href("job", "", { job: params.get("job") })}>Watch the job</a></p></Empty>;
  const save = () => download(`steerscope-${job}.csv`, toCsv(csvRows(rows, series)));
  return (
    <div class="table-page">
      <Filters
        table={table} other={other} catalog={catalog} map={map} params={params} typed={typed} onType={setTyped}
        shown={rows.length} onCsv={save} trouble={hits?.error ?? ""} method={method}
      />
      <div class="sheet" style={{ "--least": narrow ? "0px" : `${leastWidth(series)}px` }} role="table" aria-label="Features" aria-rowcount={rows.length + 1} ref={scroller} tabIndex={0}>
        <Head series={series} order={order} narrow={narrow} />
        {rows.length === 0 ? (
          <Empty title="No feature fits">
            <p><button type="button" class="plain" onClick={() => { setTyped(""); go(href("table", "", { job: params.get("job"), m: params.get("m") }), true); }}>Clear search and filters</button></p>
          </Empty>
        ) : (
          <div class="rows" role="rowgroup" style={{ height: `${virtual.total}px` }}>
            {virtual.items.map((item) => (
              <Row
                key={rows[item.index]} row={rows[item.index] as number} place={item.index} top={item.start} height={height} series={series}
                words={words} chosen={item.index === chosen} narrow={narrow} cluster={cluster(table, rows[item.index] as number)} onOpen={open} onChoose={setChosen}
                link={(feature) => href("feature", feature, { job: params.get("job"), also: otherJob })}
              />
            ))}
          </div>
        )}
      </div>
      <p class="hidden" role="status">{plural(rows.length, "feature")}</p>
    </div>
  );

  function cluster(of: Table, row: number): string {
    const number = clusterOf?.get(of.doc.features[row] as number);
    return number === undefined ? "" : (map?.clusters[number]?.name ?? "");
  }
}

function csvRows(rows: number[], series: Series[]): (string | number | null)[][] {
  const first = series[0] as Series;
  const head: (string | number | null)[] = ["feature", "frequency"];
  for (const one of series) {
    const prefix = series.length > 1 ? `${one.table === first.table ? "" : `${one.table.doc.job}/`}${one.method} ` : "";
    head.push(...["method", "explanation", "outcome", ...one.table.doc.scores.map((score) => score.id), ...one.table.kinds].map((name) => prefix + name));
  }
  const body = rows.map((row) => {
    const feature = first.table.doc.features[row] as number;
    const line: (string | number | null)[] = [feature, first.table.doc.frequency[row] ?? null];
    for (const one of series) {
      const { table, method } = one;
      const at = rowIn(one, first, row);
      line.push(table.methodAt(at, method)?.id ?? "", table.text(at, method), table.outcome(at, method));
      line.push(...table.doc.scores.map((score) => table.score(at, method, score.id)), ...table.kinds.map((kind) => table.label(at, method, kind)));
    }
    return line;
  });
  return [head, ...body];
}
