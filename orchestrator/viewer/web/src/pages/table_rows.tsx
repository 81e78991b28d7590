import type { Series } from "../data/table";
import { set } from "../route";
import { Chip, figure, Missing, percent, Text } from "../ui/parts";
import { Thumb } from "../ui/images";
import type { Order } from "../data/table";

interface RowProps {
  row: number; place: number; top: number; height: number; series: Series[]; words: string[]; chosen: boolean; narrow: boolean; cluster: string;
  onOpen: (row: number) => void; onChoose: (place: number) => void; link: (feature: number) => string; image: (path: string) => string;
}

const MOST_SCORES = 6;

export function Head({ series, order, narrow }: { series: Series[]; order: Order; narrow: boolean }) {
  const first = series[0];
  if (!first || narrow) return null;
  const scores = first.table.doc.scores.slice(0, MOST_SCORES);
  const sort = (key: string, down: boolean) => {
    const now = order.key === key && order.series === 0;
    set({ sort: key === "feature" && !(now && !order.down) ? null : `${(now ? !order.down : down) ? "-" : ""}${key}` });
  };
  const head = (key: string, label: string, help: string, down: boolean, kind = "") => {
    const now = order.key === key && order.series === 0;
    return (
      <div role="columnheader" class={`cell ${kind}`} aria-sort={now ? (order.down ? "descending" : "ascending") : "none"}>
        <button type="button" class={now ? "sort now" : "sort"} title={help} onClick={() => sort(key, down)}>
          {label}<span aria-hidden="true">{now ? (order.down ? " ↓" : " ↑") : ""}</span>
        </button>
      </div>
    );
  };
  return (
    <div class={`row head ${series.length > 1 ? "compare" : ""}`} role="row" aria-rowindex={1} style={columns(series)}>
      <div role="columnheader" class="cell pics"><span class="hidden">Top images</span></div>
      {head("feature", "Feature", "by id", false, "id")}
      {series.length > 1
        ? series.map((one) => <div role="columnheader" class="cell series">{seriesLabel(one, first)}</div>)
        : <>
            {head("text", "Explanation", "alphabetically", false, "text")}
            {scores.map((score) => head(score.id, score.label, score.help, true, "number"))}
            {head("frequency", "Fires", "share of patches on which it fires", true, "number")}
          </>}
    </div>
  );
}

export function seriesLabel(one: Series, first: Series): string {
  const label = one.method === "best" ? "Best explanation" : (one.table.doc.methods.find((method) => method.id === one.method)?.label ?? one.method);
  return one.table === first.table ? label : `${label} (job ${one.table.doc.job})`;
}

function columns(series: Series[]): Record<string, string> {
  const scores = Math.min(series[0]?.table.doc.scores.length ?? 0, MOST_SCORES);
  const tracks = series.length > 1 ? `repeat(${series.length}, minmax(0, 1fr))` : `minmax(0, 1fr) repeat(${scores + 1}, 76px)`;
  return { gridTemplateColumns: `132px 66px ${tracks}` };
}

export function Row(props: RowProps) {
  const { row, series, words, narrow } = props;
  const first = series[0] as Series;
  const feature = first.table.doc.features[row] as number;
  const scores = first.table.doc.scores.slice(0, MOST_SCORES);
  const thumbs = first.table.thumbs(row);
  const style = { ...(narrow ? {} : columns(series)), transform: `translateY(${props.top}px)`, height: `${props.height}px` };
  const kinds = `row ${props.chosen ? "chosen" : ""} ${narrow ? "card" : ""} ${series.length > 1 ? "compare" : ""}`;
  return (
    <div
      class={kinds} role="row" aria-rowindex={props.place + 2} aria-selected={props.chosen} style={style}
      onClick={(event) => (event.target as Element).closest("a") || props.onOpen(row)}
    >
      <div class="cell pics" role="cell">{thumbs.slice(0, 3).map((path) => <Thumb src={props.image(path)} alt="" />)}</div>
      <div class="cell id" role="cell">
        <a href={props.link(feature)} onFocus={() => props.onChoose(props.place)} aria-label={`Feature ${feature}`}>{feature}</a>
        {first.table.doc.validation[row] ? <span class="dim" title="α was chosen on this feature">val.</span> : null}
      </div>
      {series.length > 1 || narrow
        ? series.map((one) => <Told series={one} first={first} row={row} words={words} single={narrow} />)
        : <>
            <div class="cell text" role="cell">
              <Words series={first} row={row} words={words} />
              <span class="under">{first.method === "best" ? <Label series={first} row={row} /> : null}{props.cluster ? <span class="dim cluster">{props.cluster}</span> : null}</span>
            </div>
            {scores.map((score) => <div class="cell number" role="cell">{figure(first.table.score(row, first.method, score.id))}</div>)}
            <div class="cell number dim" role="cell">{percent(first.table.doc.frequency[row] ?? 0)}</div>
          </>}
    </div>
  );
}

function Words({ series, row, words }: { series: Series; row: number; words: string[] }) {
  const text = series.table.text(row, series.method);
  if (text) return <span class="line" title={text}><Text text={text} mark={words} /></span>;
  return <span class="line"><Missing outcome={series.table.outcome(row, series.method)} /></span>;
}

function Label({ series, row }: { series: Series; row: number }) {
  const method = series.table.methodAt(row, series.method);
  return method ? <Chip method={method} small /> : null;
}

function Told({ series, first, row, words, single }: { series: Series; first: Series; row: number; words: string[]; single: boolean }) {
  const at = series.table === first.table ? row : (series.table.rowOf.get(first.table.doc.features[row] as number) ?? -1);
  if (at < 0) return <div class="cell text" role="cell"><span class="missing">not in job {series.table.doc.job}</span></div>;
  return (
    <div class="cell text" role="cell">
      <Words series={series} row={at} words={words} />
      <span class="under">
        {series.method === "best" || single ? <Label series={series} row={at} /> : null}
        {series.table.doc.scores.slice(0, 4).map((score) => {
          const value = series.table.score(at, series.method, score.id);
          return value === null ? null : <span class="mini" title={score.help}><span class="dim">{score.label}</span> {figure(value)}</span>;
        })}
      </span>
    </div>
  );
}
