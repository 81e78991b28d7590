import { useEffect, useMemo, useState } from "preact/hooks";
import { drop, imageAt, isFolder } from "../data/source";
import type { Explanation, FeatureDocument, Neighbour, Picture, ScoreKind } from "../data/types";
import { useDocument, useKeys, useMap, useTable } from "../hooks";
import type { PageProps } from "../main";
import { go, href } from "../route";
import { Histogram } from "../ui/histogram";
import { Gallery, Thumb } from "../ui/images";
import type { Look } from "../ui/overlay";
import { Chip, Empty, figure, jobOptions, Missing, percent, Segments, Select, Text, Trouble, Waiting } from "../ui/parts";
import { ScoreList } from "../ui/scores";
import { copyLink } from "../ui/shell";
import { walk } from "./walk";

export function FeaturePage({ catalog, job, id, params, round }: PageProps) {
  const feature = Number(id);
  const named = { job: params.get("job"), also: params.get("also") };
  const [again, setAgain] = useState(0);
  const name = `${job}/feature/${feature}`;
  const { value: doc, error } = useDocument<FeatureDocument>(name, round + again);
  const alone = doc !== undefined && doc.near.texts.length === 0;
  const map = useMap(alone ? job : null); // asking for it has it made
  useEffect(() => {
    if (!map.value || !alone || isFolder || !map.value.features.includes(feature)) return;
    drop(name);
    setAgain((old) => old + 1);
  }, [map.value]);
  const { value: table } = useTable(job, round);
  const also = params.get("also");
  const other = useDocument<FeatureDocument>(also && also !== job ? `${also}/feature/${feature}` : null);
  const list = useMemo(() => walk.of(job, table?.doc.features ?? [], feature), [job, table, feature]);
  const place = list.features.indexOf(feature);
  const next = (step: number): string | null => {
    const to = list.features[place + step];
    return place < 0 || to === undefined ? null : href("feature", to, named);
  };
  useKeys((key) => {
    const step = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 }[key];
    const to = step && next(step);
    if (to) go(to, true);
    return Boolean(step);
  });
  const back = list.from ?? href("table", "", { job: named.job });
  const steps = (
    <nav class="steps" aria-label="Features">
      <a class="plain" href={back}>← Table</a>
      <Step to={next(-1)} label="Previous feature" sign="‹ k" />
      <span class="dim">{place >= 0 ? `${place + 1} of ${list.features.length}` : ""}</span>
      <Step to={next(1)} label="Next feature" sign="j ›" />
    </nav>
  );
  if (error) return <>{steps}<Trouble error={error} /></>;
  if (!doc) return <>{steps}<Waiting what={`Reading feature ${feature}…`} /></>;
  const kinds = table?.doc.scores ?? [];
  const best = doc.explanations.find((one) => one.best);
  const others = catalog.jobs.filter((one) => one.id !== job);
  return (
    <article class="feature">
      {steps}
      <header class="hero">
        <h1>Feature {feature}</h1>
        {best ? <p class="headline"><Text text={best.text} /> <Chip method={best.method} /></p> : null}
        {doc.outcome && doc.outcome !== "ok" ? <p><Missing outcome={doc.outcome} reason={doc.reason} /></p> : null}
        <p class="facts">
          <span>fires on {percent(doc.frequency)} of patches</span>
          {doc.alive ? null : <span class="missing">dead</span>}
          {doc.validation ? <span title="tables and figures leave it out">α was chosen on this feature</span> : null}
          <span>seed {doc.seed}</span>
          <CopyLink />
          {catalog.abilities.explain ? <a class="plain" href={href("play", "", { job: named.job, f: feature })}>Steer it in the playground</a> : null}
        </p>
      </header>
      <div class="two">
        <section class="explanations" aria-label="Explanations">
          <Explanations doc={doc} kinds={kinds} />
          {others.length ? (
            <div class="also">
              <Select label="Beside another job" value={also ?? ""} options={jobOptions(others)} onChange={(value) => go(href("feature", feature, { ...named, also: value }), true)} />
              {other.error ? <p class="missing"><bdi>{other.error.message}</bdi></p> : other.value ? <Explanations doc={other.value} kinds={kinds} /> : null}
            </div>
          ) : null}
        </section>
        <div class="evidence">
          <TopImages doc={doc} />
          {doc.histogram ? <section><h2>How often it fires</h2><Histogram data={doc.histogram} /></section> : null}
          <Near title="Explained alike" list={doc.near.texts} named={named} empty={map.waiting ? "Comparing all explanations…" : "Nothing to compare it with."} />
          {doc.near.directions.length ? <Near title="Nearest directions" list={doc.near.directions} named={named} empty="" /> : null}
          {Object.keys(doc.seconds).length ? <details class="fine"><summary>Time by stage</summary><dl class="pairs">{Object.entries(doc.seconds).map(([stage, seconds]) => <div><dt>{stage}</dt><dd>{figure(seconds)} s</dd></div>)}</dl></details> : null}
        </div>
      </div>
    </article>
  );
}

function Step({ to, label, sign }: { to: string | null; label: string; sign: string }) {
  return to ? <a class="plain" href={to} aria-label={label} title={label}>{sign}</a> : <span class="plain off" aria-hidden="true">{sign}</span>;
}

function CopyLink() {
  const [done, setDone] = useState("");
  return <button type="button" class="plain" onClick={() => void copyLink().then((copied) => setDone(copied ? "copied" : "not allowed"))}>{done ? `Link ${done}` : "Copy link"}</button>;
}

function Explanations({ doc, kinds }: { doc: FeatureDocument; kinds: ScoreKind[] }) {
  const methods = doc.explanations.filter((one) => !["anchor", "control"].includes(one.method.role));
  const rest = doc.explanations.filter((one) => ["anchor", "control"].includes(one.method.role));
  const extremes = (of: Explanation[]) => Object.fromEntries(kinds.map(({ id }) => [id, Math.max(...of.map((one) => one.scores[id]?.value ?? -Infinity))]));
  const [most, best] = [extremes(doc.explanations), extremes(methods)];
  // the highest is marked where there is a lower one
  const top = Object.fromEntries(Object.entries(best).filter(([id, value]) => methods.some((one) => (one.scores[id]?.value ?? value) < value)));
  if (!doc.explanations.length) return <Empty title="No explanations"><p><Missing outcome={doc.outcome} reason={doc.reason} /></p></Empty>;
  return (
    <>
      {methods.map((one) => <Card key={one.method.id} explanation={one} kinds={kinds} most={most} top={top} />)}
      {rest.length ? (
        <details class="rest">
          <summary>Controls and anchors · {rest.length}</summary>
          {rest.map((one) => <Card key={one.method.id} explanation={one} kinds={kinds} most={most} top={{}} />)}
        </details>
      ) : null}
    </>
  );
}

function Card({ explanation, kinds, most, top }: { explanation: Explanation; kinds: ScoreKind[]; most: Record<string, number>; top: Record<string, number> }) {
  const { method, text, raw } = explanation;
  const longer = raw.trim() !== text.trim() && raw.trim() !== "";
  return (
    <section class={`card edge m-${method.slot}`} aria-label={method.label}>
      <header><Chip method={method} />{explanation.best ? <span class="best" title="best by rank over all scores">★ best</span> : null}
        {explanation.truncated ? <span class="dim" title="max_new_tokens cut it">cut</span> : null}
        {explanation.logprob !== null ? <span class="dim right" title="mean log-probability of its tokens">log p {figure(explanation.logprob)}</span> : null}
      </header>
      <p class="said">{text ? <Text text={text} /> : <Missing outcome={explanation.outcome} reason={explanation.reason} />}</p>
      {text && explanation.reason ? <p class="dim small"><bdi>{explanation.reason}</bdi></p> : null}
      <div class="body">
      <ScoreList explanation={explanation} kinds={kinds} most={most} top={top} />
      {Object.entries(explanation.generated).map(([judge, drawn]) => drawn.length ? (
        <div class="drawn">
          <span class="dim small">{judge === "oracle" ? "drawn by the oracle" : "generated from it"}</span>
          {drawn.map((one, place) => (
            <figure key={one.src} title={one.seed ? `seed ${one.seed}` : ""}><Thumb src={imageAt(one.src)} alt={`image ${place + 1} generated from this explanation`} /><figcaption>S {figure(one.activation)}</figcaption></figure>
          ))}
        </div>
      ) : null)}
      </div>
      {longer ? <details class="fine"><summary>As generated</summary><p><bdi>{raw}</bdi></p></details> : null}
    </section>
  );
}

function TopImages({ doc }: { doc: FeatureDocument }) {
  const [part, setPart] = useState<"explain" | "test">("explain");
  const [look, setLook] = useState<Look>("heatmap");
  const [blend, setBlend] = useState(100);
  const pictures: Picture[] = doc[part];
  return (
    <section class="tops">
      <h2>Top images</h2>
      <div class="controls">
        <Segments label="Image set" value={part} options={[["explain", "Explained with"], ["test", "Scored on"]]} onChange={setPart} />
        <Segments label="Overlay" value={look} options={[["heatmap", "Heatmap"], ["mask", "Mask"]]} onChange={setLook} />
        <label class="slider"><span>raw</span><input type="range" min="0" max="100" value={blend} aria-label="How much of the overlay is shown" onInput={(event) => setBlend(Number(event.currentTarget.value))} /><span>{look}</span></label>
      </div>
      {pictures.length
        ? <div style={{ "--blend": String(blend / 100) }}><Gallery pictures={pictures} grid={doc.grid} style={{ look, tint: doc.tint, strength: doc.strength }} feature={doc.feature} /></div>
        : <p class="dim">{part === "explain" ? "The job showed the explainer no images of it." : "The job scored it on no images."}</p>}
    </section>
  );
}

function Near({ title, list, named, empty }: { title: string; list: Neighbour[]; named: Record<string, string | null>; empty: string }) {
  return (
    <section class="near">
      <h2>{title}</h2>
      {list.length === 0 ? <p class="dim">{empty}</p> : (
        <ul>{list.map((one) => (
          <li key={one.feature}><a href={href("feature", one.feature, named)}>
            {one.thumb ? <Thumb src={imageAt(one.thumb)} alt="" /> : null}
            <span class="dim number">{one.feature}</span><span class="line"><Text text={one.text} /></span><span class="dim number">{figure(one.cosine)}</span>
          </a></li>
        ))}</ul>
      )}
    </section>
  );
}
