import { useEffect, useState } from "preact/hooks";
import type { Job } from "../data/types";
import { useTable } from "../hooks";
import type { PageProps } from "../main";
import { href } from "../route";
import { count, Empty, figure, plural, spaced } from "../ui/parts";

interface Item { item: string; state: string; stage: string; seconds: number; detail: string }
interface Ended { time: number; item: Item }
interface Progress { job: Job | null; ended: Ended[]; stages: Record<string, { runs: number; seconds: number }>; trouble: string; open: boolean }

const STATES = ["done", "running", "queued", "failed", "cancelled"];
const NOTED = 12;
const WINDOW = 60_000; // rates are of the last minute

/** Follow a job. The browser takes a broken stream up again by itself, from the last event. */
function useProgress(job: string, live: boolean): Progress {
  const [state, setState] = useState<Progress>({ job: null, ended: [], stages: {}, trouble: "", open: false });
  useEffect(() => {
    setState({ job: null, ended: [], stages: {}, trouble: "", open: false });
    if (!live) return;
    const events = new EventSource(`/api/watch/${encodeURIComponent(job)}`);
    const read = (event: Event) => JSON.parse((event as MessageEvent<string>).data) as unknown;
    events.addEventListener("open", () => setState((old) => ({ ...old, open: true, trouble: "" })));
    events.addEventListener("snapshot", (event) => setState((old) => ({ ...old, job: read(event) as Job })));
    events.addEventListener("item", (event) => setState((old) => taken(old, read(event) as Item)));
    events.addEventListener("fault", (event) => setState((old) => ({ ...old, trouble: (read(event) as { error: string }).error })));
    events.addEventListener("end", () => {
      events.close();
      setState((old) => ({ ...old, open: false }));
    });
    events.addEventListener("error", () => setState((old) => ({ ...old, open: false })));
    return () => events.close();
  }, [job, live]);
  return state;
}

function taken(old: Progress, item: Item): Progress {
  const known = old.job;
  const next = { ...old };
  if (item.state === "stage") {
    const before = old.stages[item.stage] ?? { runs: 0, seconds: 0 };
    next.stages = { ...old.stages, [item.stage]: { runs: before.runs + 1, seconds: before.seconds + item.seconds } };
  }
  if (known && item.item) {
    const items = { ...known.items };
    const move = (from: string, to: string) => {
      if (items[from]) items[from] -= 1;
      items[to] = (items[to] ?? 0) + 1;
    };
    if (item.state === "running") move("queued", "running");
    else if (item.state === "requeued") move("running", "queued");
    else if (["done", "failed", "cancelled"].includes(item.state)) {
      move("running", item.state);
      next.ended = [{ time: Date.now(), item }, ...old.ended].filter((one, place) => place < NOTED || Date.now() - one.time < WINDOW);
    }
    next.job = { ...known, items };
  }
  return next;
}

export function JobPage({ catalog, job, params }: PageProps) {
  const told = catalog.jobs.find((one) => one.id === job);
  const live = catalog.abilities.live;
  const progress = useProgress(job, live);
  const { value: table } = useTable(job);
  const now = progress.job ?? told;
  if (!now) return <Empty title="There is no such job"><p>It may be of another deployment.</p></Empty>;
  const share = (state: string) => (now.total ? (now.items[state] ?? 0) / now.total : 0);
  const left = now.total - ["done", "failed", "cancelled"].reduce((sum, state) => sum + (now.items[state] ?? 0), 0);
  const recent = progress.ended.filter((one) => Date.now() - one.time < WINDOW);
  const span = recent.length > 1 ? ((recent[0] as Ended).time - (recent.at(-1) as Ended).time) / 60_000 : 0;
  const rate = span > 0 ? (recent.length - 1) / span : 0;
  const link = { job: params.get("job") };
  return (
    <div class="job-page">
      <header class="hero">
        <h1><bdi>{now.name}</bdi></h1>
        <p class="facts"><span class={`state s-${now.state}`}>{now.state}</span><span>job <code>{now.id}</code></span>
          <span>{when(now)}</span>{live && progress.open && !now.ended ? <span class="pulse">live</span> : null}
          <a class="plain" href={href("table", "", link)}>Table</a><a class="plain" href={href("map", "", link)}>Map</a>
        </p>
        {progress.trouble ? <p class="missing" role="alert"><bdi>{progress.trouble}</bdi></p> : null}
      </header>
      {now.total ? (
        <section aria-label="Progress">
          <div class="progress" role="progressbar" aria-label="Finished features" aria-valuemin={0} aria-valuemax={now.total} aria-valuenow={now.total - left}>
            {STATES.map((state) => <span class={`s-${state}`} style={{ width: `${share(state) * 100}%` }} title={`${state}: ${now.items[state] ?? 0}`} />)}
          </div>
          <dl class="tiles">
            {STATES.filter((state) => state !== "cancelled" || now.items[state]).map((state) => <div><dt><i class={`s-${state}`} /> {state}</dt><dd>{count(now.items[state] ?? 0)}</dd></div>)}
            <div><dt>of</dt><dd>{count(now.total)}</dd></div>
            {!now.ended && live ? <div><dt>features a minute</dt><dd>{rate ? figure(rate) : "–"}</dd></div> : null}
            {!now.ended && live ? <div><dt>left</dt><dd>{rate && left ? duration((left / rate) * 60) : "–"}</dd></div> : null}
          </dl>
        </section>
      ) : null}
      <Outcomes outcomes={now.outcomes} places={Object.fromEntries([...(table?.doc.methods ?? []), ...(table?.doc.scores ?? [])].map((one, place) => [one.id, place]))} label={(name) => table?.scoreKind(name)?.label ?? spaced(table?.nameOf(name) ?? name)} />
      {Object.keys(progress.stages).length ? (
        <section><h2>Stages since this page is open</h2>
          <dl class="pairs">{Object.entries(progress.stages).map(([stage, one]) => <div><dt>{stage}</dt><dd>{count(one.runs)} × {figure(one.seconds / one.runs)} s</dd></div>)}</dl>
        </section>
      ) : null}
      {progress.ended.length ? (
        <section aria-label="Just ended"><h2>Just ended</h2>
          <ul class="log">{progress.ended.slice(0, NOTED).map(({ item }) => <li><a href={href("feature", item.item, link)}>Feature {item.item}</a> <span class={`state s-${item.state}`}>{item.state}</span> <bdi class="dim">{item.detail}</bdi></li>)}</ul>
        </section>
      ) : null}
      {table?.doc.about.settings ? (
        <details class="fine"><summary>Models, image sets, settings</summary>
          <dl class="pairs wide">
            {Object.entries({ ...table.doc.about.models, ...table.doc.about.sets, ...table.doc.about.settings, seed: String(table.doc.about.seed), software: table.doc.about.software ?? "" }).map(([name, value]) => <div><dt>{name}</dt><dd><bdi>{value || "–"}</bdi></dd></div>)}
          </dl>
        </details>
      ) : null}
    </div>
  );
}

function Outcomes({ outcomes, label, places }: { outcomes: Record<string, number>; label: (name: string) => string; places: Record<string, number> }) {
  const groups = new Map<string, [string, number][]>();
  for (const [key, number] of Object.entries(outcomes)) {
    const cut = key.lastIndexOf("/");
    const name = key.slice(0, cut);
    groups.set(name, [...(groups.get(name) ?? []), [key.slice(cut + 1), number]]);
  }
  if (!groups.size) return null;
  const known = [...groups].filter(([name]) => name in places).sort((a, b) => (places[a[0]] as number) - (places[b[0]] as number));
  const rest = [...groups].filter(([name]) => !(name in places));
  return (
    <section>
      <h2>How everything ended</h2>
      <ul class="outcomes">
        {[...known, ...rest].map(([name, parts]) => {
          const all = parts.reduce((sum, [, number]) => sum + number, 0);
          return (
            <li><span>{label(name)}</span>
              <span class="stack" aria-hidden="true">{parts.map(([outcome, number]) => <i class={outcome === "ok" ? "ok" : "not"} style={{ width: `${(100 * number) / all}%` }} />)}</span>
              <span class="dim">{parts.map(([outcome, number]) => `${count(number)} ${spaced(outcome)}`).join(", ")}</span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function when(job: Job): string {
  if (!job.created) return plural(job.total, "feature");
  const time = new Date(job.created * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
  return job.finished ? `${time}, ${duration(job.finished - job.created)}` : `since ${time}`;
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
