// What the playground has heard so far, and the streams that it listens to.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Told } from "../data/types";
import { explain } from "./play_stream";

/** Why something is asked: of each purpose at most one stream runs, and a new one ends that one alone. */
export type Purpose = "one" | "sweep";

export interface Answers {
  of: (variant: string) => Told | undefined;
  /** The variants of this feature that were answered. */
  variants: string[];
  ask: (purpose: Purpose, variants: string[]) => void;
  stop: (purpose: Purpose) => void;
  busy: boolean;
  trouble: string;
}

/** Answers about a feature. They are kept by feature and variant, so that what is known is not asked again. */
export function useAnswers(feature: number): Answers {
  const [answers, setAnswers] = useState<ReadonlyMap<string, Told>>(new Map());
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState("");
  const known = useRef(answers); // of now: whoever asks later was made in an earlier turn
  const running = useRef(new Map<Purpose, AbortController>());
  const start = `${feature}:`;

  const end = (purpose: Purpose, own?: AbortController) => {
    const stop = running.current.get(purpose);
    if (!stop || (own && own !== stop)) return; // another one runs by now
    running.current.delete(purpose);
    stop.abort();
    setBusy(running.current.size > 0);
  };
  const ask = (purpose: Purpose, variants: string[]) => {
    end(purpose);
    const wanted = [...new Set(variants)].filter((variant) => !known.current.has(start + variant));
    if (!wanted.length) return;
    const own = new AbortController();
    running.current.set(purpose, own);
    setTrouble("");
    setBusy(true);
    const heard = (told: Told) => {
      known.current = new Map(known.current).set(start + told.variant, told);
      setAnswers(known.current);
    };
    explain(feature, wanted, own.signal, heard)
      .catch((fault: Error) => own.signal.aborted || setTrouble(fault.message))
      .finally(() => end(purpose, own));
  };
  useEffect(() => () => running.current.forEach((stop) => stop.abort()), []);
  return {
    of: (variant) => answers.get(start + variant),
    variants: [...answers.keys()].filter((key) => key.startsWith(start)).map((key) => key.slice(start.length)),
    ask, stop: end, busy, trouble,
  };
}
