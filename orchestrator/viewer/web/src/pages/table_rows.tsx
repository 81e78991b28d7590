import { BEST, LABEL, type Order, rowIn, type Series } from "../data/table";
import { set } from "../route";
import { Thumbs } from "../ui/images";
import { Chip, figure, Missing, percent, Text, titled } from "../ui/parts";

interface RowProps {
  row: number; place: number; top: number; height: number; series: Series[]; words: string[]; chosen: boolean; narrow: boolean; cluster: string;
  onOpen: (row: number) => void; onChoose: (place: number) => void; link: (feature: number) => string;
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
            {first.table.kinds.map((kind) => head(LABEL + kind, titled(kind), "what a labeller says of the text", false, "label"))}
            {head("frequency", "Fires", "share of patches on which it fires", true, "number")}
          </>}
    </div>
  );
}

export function seriesLabel(one: Series, first: Series): string {
  const label = one.table.nameOf(one.method);
  return one.table === first.table ? label : `${label} (job ${one.table.doc.job})`;
}

/** How many columns of figures and of labels a table of one series has. */
function extent(series: Series[]): { figures: number; labels: number } {
  const table = series[0]?.table;
  return { figures: Math.min(table?.doc.scores.length ?? 0, MOST_SCORES) + 1, labels: table?.kinds.length ?? 0 };
}

function columns(series: Series[]): Record<string, string> {
  const { figures, labels } = extent(series);
  const alone = `minmax(0, 1fr) repeat(${figures - 1}, 76px) ${labels ? `repeat(${labels}, 112px)` : ""} 76px`;
  return { gridTemplateColumns: `132px 66px ${series.length > 1 ? `repeat(${series.length}, minmax(0, 1fr))` : alone}` };
}

/** Below this the table scrolls sideways, in pixels. */
export function leastWidth(series: Series[]): number {
  const { figures, labels } = extent(series);
  return series.length > 1 ? 240 + 250 * series.length : 480 + 86 * figures + 122 * labels;
}

export function Row(props: RowProps) {
  const { row, series, words, narrow } = props;
  const first = series[0] as Series;
  const feature = first.table.doc.features[row] as number;
  const scores = first.table.doc.scores.slice(0, MOST_SCORES);
  const style = { ...(narrow ? {} : columns(series)), transform: `translateY(${props.top}px)`, height: `${props.height}px` };
  const kinds = `row ${props.chosen ? "chosen" : ""} ${narrow ? "card" : ""} ${series.length > 1 ? "compare" : ""}`;
  return (
    <div
      class={kinds} role="row" aria-rowindex={props.place + 2} aria-selected={props.chosen} style={style}
      onClick={(event) => (event.target as Element).closest("a") || props.onOpen(row)}
    >
      <div class="cell pics" role="cell"><Thumbs table={first.table} row={row} /></div>
      <div class="cell id" role="cell">
        <a href={props.link(feature)} onFocus={() => props.onChoose(props.place)} aria-label={`Feature ${feature}`}>{feature}</a>
        {first.table.doc.validation[row] ? <span class="dim" title="α was chosen on this feature">val.</span> : null}
      </div>
      {series.length > 1 || narrow
        ? series.map((one) => <Told series={one} first={first} row={row} words={words} single={narrow} />)
        : <>
            <div class="cell text" role="cell">
              <Words series={first} row={row} words={words} />
              <span class="under">{first.method === BEST ? <Method series={first} row={row} /> : null}{props.cluster ? <span class="dim cluster">{props.cluster}</span> : null}</span>
            </div>
            {scores.map((score) => <div class="cell number" role="cell">{figure(first.table.score(row, first.method, score.id))}</div>)}
            {first.table.kinds.map((kind) => <div class="cell label" role="cell">{first.table.label(row, first.method, kind) || <span class="dim">–</span>}</div>)}
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

function Method({ series, row }: { series: Series; row: number }) {
  const method = series.table.methodAt(row, series.method);
  return method ? <Chip method={method} small /> : null;
}

function Told({ series, first, row, words, single }: { series: Series; first: Series; row: number; words: string[]; single: boolean }) {
  const at = rowIn(series, first, row);
  if (at < 0) return <div class="cell text" role="cell"><span class="missing">not in job {series.table.doc.job}</span></div>;
  return (
    <div class="cell text" role="cell">
      <Words series={series} row={at} words={words} />
      <span class="under">
        {series.method === BEST || single ? <Method series={series} row={at} /> : null}
        {series.table.doc.scores.slice(0, 4).map((score) => {
          const value = series.table.score(at, series.method, score.id);
          return value === null ? null : <span class="mini" title={score.help}><span class="dim">{score.label}</span> {figure(value)}</span>;
        })}
        {series.table.kinds.map((kind) => series.table.label(at, series.method, kind)).filter(Boolean).map((value) => <span class="mini dim">{value}</span>)}
      </span>
    </div>
  );
}
