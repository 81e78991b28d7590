// Small pieces that all pages share.
import type { ComponentChildren } from "preact";
import type { Job, Method } from "../data/types";

/** Three digits without the leading zero, as the report writes figures. */
export function figure(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const text = Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(3);
  return Math.abs(value) < 1 ? text.replace("0.", ".") : text.length > 5 ? text.slice(0, text.indexOf(".") + 3) : text;
}

/** A share of one; two digits, but never an exponent. */
export const percent = (share: number): string => `${100 * share >= 10 ? (100 * share).toFixed(0) : (100 * share).toPrecision(2)} %`;
export const count = (number: number): string => number.toLocaleString("en");
export const spaced = (name: string): string => name.replaceAll("_", " ");
export const titled = (name: string): string => spaced(name.charAt(0).toUpperCase() + name.slice(1));
export const plural = (number: number, word: string): string => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

export function Chip({ method, small }: { method: Method; small?: boolean }) {
  return <span class={`chip m-${method.slot}${small ? " small" : ""}`}>{method.label}</span>;
}

/** An explanation. Texts come from models: their direction is their own, so that they turn nothing around them. */
export function Text({ text, mark = [] }: { text: string; mark?: string[] }) {
  return <bdi class="told">{mark.length ? highlighted(text, mark) : text}</bdi>;
}

function highlighted(text: string, words: string[]): ComponentChildren {
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return text.split(new RegExp(`(${escaped.join("|")})`, "gi")).map((part, place) => (place % 2 ? <mark>{part}</mark> : part));
}

export function Missing({ outcome, reason }: { outcome: string; reason?: string }) {
  return (
    <span class="missing">
      {spaced(outcome) || "no explanation"}
      {reason ? <span class="dim">: <bdi>{reason}</bdi></span> : null}
    </span>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty" role="status">
      <svg viewBox="0 0 48 48" width="44" height="44" aria-hidden="true"><circle cx="24" cy="24" r="13" /><circle cx="30" cy="19" r="4" /></svg>
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function Trouble({ error }: { error: Error }) {
  return <Empty title="This cannot be shown"><p><bdi>{error.message}</bdi></p></Empty>;
}

export function Waiting({ what }: { what: string }) {
  return <div class="waiting" role="status"><span class="spinner" aria-hidden="true" />{what}</div>;
}

/** Jobs to choose from, or none of them. */
export const jobOptions = (jobs: Job[]): [string, string][] => [["", "none"], ...jobs.map((one): [string, string] => [one.id, one.name])];

/** One of a few choices, as buttons. */
export function Segments<T extends string>(props: { label: string; value: T; options: [T, string][]; onChange: (value: T) => void }) {
  return (
    <div class="segments" role="radiogroup" aria-label={props.label}>
      {props.options.map(([value, label]) => (
        <button type="button" role="radio" aria-checked={value === props.value} onClick={() => props.onChange(value)}>{label}</button>
      ))}
    </div>
  );
}

export function Select(props: {
  label: string; value: string; options: [string, string][]; onChange: (value: string) => void; hideLabel?: boolean;
}) {
  return (
    <label class="field">
      <span class={props.hideLabel ? "hidden" : ""}>{props.label}</span>
      <select aria-label={props.label} value={props.value} onChange={(event) => props.onChange(event.currentTarget.value)}>
        {props.options.map(([value, label]) => <option value={value} selected={value === props.value}>{label}</option>)}
      </select>
    </label>
  );
}
