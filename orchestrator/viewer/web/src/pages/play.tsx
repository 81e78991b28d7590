import { useEffect, useMemo, useState } from "preact/hooks";
import { call } from "../data/source";
import { BEST, type Table, wordsOf } from "../data/table";
import type { Method, Probe, Told } from "../data/types";
import { useTable } from "../hooks";
import type { PageProps } from "../main";
import { href, set } from "../route";
import { Overlay, Thumbs } from "../ui/images";
import type { Style } from "../ui/overlay";
import { Chip, Empty, figure, Missing, plural, Select, Text, Trouble, Waiting } from "../ui/parts";
import { useAnswers } from "./play_answers";

const CONTROL = "control_random";
const PAUSE = 250;
const SWEEP = [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2]; // of the default
const FOUND: Style = { look: "heatmap", tint: "green", strength: 0.75 };

export function PlayPage({ catalog, job, params }: PageProps) {
  const { value: table, error } = useTable(job);
  if (!catalog.abilities.explain) return <Empty title="The playground needs the live server"><p>This is a folder of results. Start <code>steerscope view</code> beside the models to steer features.</p></Empty>;
  if (error) return <Trouble error={error} />;
  if (!table) return <Waiting what="Reading the features…" />;
  return <Playground steered={catalog.steered} table={table} params={params} />;
}

function Playground({ steered, table, params }: { steered: Method[]; table: Table; params: URLSearchParams }) {
  const feature = Number(params.get("f") ?? table.doc.features[0] ?? 0);
  const methods = steered.filter((one) => one.role !== "control");
  const method = methods.find((one) => one.id === params.get("m")) ?? (methods[0] as Method);
  const settings = table.doc.about.settings ?? {};
  const usual = Number(settings[method.informed ? "informed.alpha" : "steering.alpha"]) || 4;
  const unit = settings[method.informed ? "informed.unit" : "steering.unit"] ?? "norm";
  const alpha = params.get("a") === null ? usual : Number(params.get("a"));
  const answers = useAnswers(feature);
  const tried = answers.variants.filter((one) => one.startsWith(`${method.id}@`)).map((one) => Number(one.split("@")[1])).sort((a, b) => a - b);
  const both = (at: number): string[] => [method.id, CONTROL].map((of) => named(of, at));
  useEffect(() => {
    const timer = setTimeout(() => answers.ask("one", both(alpha)), PAUSE);
    return () => clearTimeout(timer);
  }, [feature, method.id, alpha]);
  useEffect(() => () => answers.stop("sweep"), [feature, method.id]); // it was of another one
  const sweep = () => answers.ask("sweep", SWEEP.flatMap((share) => both(share * usual)));

  const row = table.rowOf.get(feature) ?? -1;
  const [told, control] = [answers.of(named(method.id, alpha)), answers.of(named(CONTROL, alpha))];
  return (
    <div class="play">
      <section class="panel" aria-label="What to steer">
        <h1>Playground</h1>
        <p class="dim">Push the encoder along a feature's direction and read what the model says.</p>
        <Picker table={table} feature={feature} />
        <Select label="Method" value={method.id} options={methods.map((one) => [one.id, one.label])} onChange={(value) => set({ m: value, a: null })} />
        <label class="alpha">
          <span>α <output>{plain(alpha)}</output> <span class="dim">{unit === "norm" ? "× the mean residual norm" : "residual units"}</span></span>
          <input type="range" min="0" max={plain(usual * 2.5)} step={plain(usual / 40)} value={alpha} aria-label="α, strength of the steering" onInput={(event) => set({ a: plain(Number(event.currentTarget.value)) })} />
        </label>
        <div class="buttons">
          <button type="button" class="main" onClick={sweep}>Sweep α</button>
          <button type="button" class="plain" onClick={() => set({ a: null })}>Usual α ({plain(usual)})</button>
        </div>
        {row >= 0 ? (
          <div class="known"><div class="pics"><Thumbs table={table} row={row} /></div>
            <p><a href={href("feature", feature, { job: params.get("job") })}>Feature {feature}</a>{table.hasBest && table.text(row, BEST) ? <>: <Text text={table.text(row, BEST)} /></> : null}</p>
          </div>
        ) : <p class="dim">This job did not explain feature {feature}; it can be steered all the same.</p>}
      </section>
      <section class="stage" aria-label="What the model says" aria-live="polite">
        {answers.trouble ? <p class="missing" role="alert"><bdi>{answers.trouble}</bdi></p> : null}
        <div class="pair">
          <Said title={<Chip method={method} />} told={told} busy={answers.busy} kind={`m-${method.slot}`} />
          <Said title={<span class="chip m-control_random">A random direction</span>} told={control} busy={answers.busy} kind="m-control_random" />
        </div>
        {tried.length > 1 ? (
          <table class="ladder">
            <caption>Every α that was tried</caption>
            <thead><tr><th scope="col">α</th><th scope="col">{method.label}</th><th scope="col">a random direction</th></tr></thead>
            <tbody>{tried.map((at) => (
              <tr class={at === Number(plain(alpha)) ? "now" : ""} key={at}>
                <td><button type="button" class="plain" onClick={() => set({ a: plain(at) })} aria-label={`Set α to ${plain(at)}`}>{plain(at)}</button></td>
                <td><Words told={answers.of(named(method.id, at))} /></td><td class="dim"><Words told={answers.of(named(CONTROL, at))} /></td>
              </tr>
            ))}</tbody>
          </table>
        ) : null}
        <Drop table={table} />
      </section>
    </div>
  );
}

/** The shortest text of an α; the API writes numbers the same way. */
const plain = (value: number): string => String(Number(value.toPrecision(4)));
const named = (method: string, alpha: number): string => `${method}@${plain(alpha)}`;

function Words({ told }: { told: Told | undefined }) {
  if (!told) return <span class="dim">…</span>;
  return told.text ? <Text text={told.text} /> : <Missing outcome={told.outcome} reason={told.reason} />;
}

function Said({ title, told, busy, kind }: { title: preact.JSX.Element; told: Told | undefined; busy: boolean; kind: string }) {
  return (
    <div class={`card edge big ${kind}`}>
      <header>{title}{told?.logprob != null ? <span class="dim right" title="mean log-probability of its tokens">log p {figure(told.logprob)}</span> : null}</header>
      <p class="said">{told ? <Words told={told} /> : busy ? <span class="waiting"><span class="spinner" aria-hidden="true" />listening…</span> : <span class="dim">–</span>}</p>
    </div>
  );
}

function Picker({ table, feature }: { table: Table; feature: number }) {
  const [typed, setTyped] = useState(String(feature));
  useEffect(() => setTyped(String(feature)), [feature]);
  const words = wordsOf(typed);
  const method = table.resolve(null);
  const found = useMemo(() => {
    if (!words.length || typed === String(feature)) return [];
    const matching = table.matching(words);
    const rows: number[] = [];
    for (let row = 0; row < table.size && rows.length < 8; row++) if (matching[table.textNumber(row, method)] || String(table.doc.features[row]).startsWith(typed.trim())) rows.push(row);
    return rows;
  }, [typed, feature, table]);
  const pick = (id: number) => {
    setTyped(String(id));
    set({ f: id });
  };
  return (
    <div class="picker">
      <label class="field"><span>Feature</span>
        <input
          type="search" value={typed} aria-label="Feature: an id, or words of its explanation" autocomplete="off" spellcheck={false}
          onInput={(event) => setTyped(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter") return;
            const first = found[0];
            if (/^\d+$/.test(typed.trim())) pick(Number(typed));
            else if (first !== undefined) pick(table.doc.features[first] as number);
          }}
        />
      </label>
      {found.length ? <ul class="suggestions">{found.map((row) => <li><button type="button" onClick={() => pick(table.doc.features[row] as number)}><span class="dim number">{table.doc.features[row]}</span> <span class="line"><Text text={table.text(row, method)} mark={words} /></span></button></li>)}</ul> : null}
    </div>
  );
}

/** Drop an image: the features that fire on it, and where. It goes to this server and nowhere else. */
function Drop({ table }: { table: Table }) {
  const [probe, setProbe] = useState<{ url: string; found?: Probe; trouble?: string } | null>(null);
  const [over, setOver] = useState(false);
  useEffect(() => () => { if (probe) URL.revokeObjectURL(probe.url); }, [probe?.url]);
  const take = (file: File | undefined) => {
    if (!file) return;
    const url = URL.createObjectURL(file);
    setProbe({ url });
    call<Probe>("/api/probe", { method: "POST", body: file, headers: { "content-type": "application/octet-stream" } })
      .then((found) => setProbe({ url, found }), (fault: Error) => setProbe({ url, trouble: fault.message }));
  };
  const method = table.resolve(null);
  return (
    <section class={over ? "drop over" : "drop"} aria-label="Features of an image"
      onDragOver={(event) => { event.preventDefault(); setOver(true); }} onDragLeave={() => setOver(false)}
      onDrop={(event) => { event.preventDefault(); setOver(false); take(event.dataTransfer?.files[0]); }}
    >
      <label class="invite">
        <input type="file" accept="image/*" onChange={(event) => take(event.currentTarget.files?.[0])} />
        <strong>Drop an image</strong><span class="dim"> or choose one: the features that fire on it, to steer with.</span>
      </label>
      {probe?.trouble ? <p class="missing" role="alert"><bdi>{probe.trouble}</bdi></p> : null}
      {probe && !probe.found && !probe.trouble ? <Waiting what="Looking at it…" /> : null}
      {probe?.found ? (
        <>
          <p class="dim small">{plural(probe.found.fired, "feature")} fire on it, the strongest first.</p>
          <div class="fired">
            {probe.found.features.map((one) => {
              const row = table.rowOf.get(one.feature) ?? -1;
              const text = row >= 0 ? table.text(row, method) : "";
              return (
                <button type="button" key={one.feature} onClick={() => set({ f: one.feature })} aria-label={`Steer feature ${one.feature}`}>
                  <Overlay src={probe.url} alt="" map={one} grid={probe.found?.grid ?? [0, 0]} style={FOUND} />
                  <span class="under"><b>{one.feature}</b> <span class="dim">S {figure(one.score)}</span></span>
                  <span class="line">{text ? <Text text={text} /> : <span class="dim">not explained</span>}</span>
                </button>
              );
            })}
          </div>
        </>
      ) : null}
    </section>
  );
}
