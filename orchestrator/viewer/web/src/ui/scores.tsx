// Scores with bars: a bar is the share of the largest value of the same score among those shown together.
import type { Explanation, ScoreKind } from "../data/types";
import { figure, spaced } from "./parts";

export function Bar({ value, of }: { value: number; of: number }) {
  return <span class="bar" aria-hidden="true"><span style={{ width: `${Math.max(0, Math.min(1, of > 0 ? value / of : 0)) * 100}%` }} /></span>;
}

export function ScoreList({ explanation, kinds, most, top }: {
  explanation: Explanation; kinds: ScoreKind[]; most: Record<string, number>; top: Record<string, number>;
}) {
  return (
    <dl class="scores">
      {kinds.map((kind) => {
        const score = explanation.scores[kind.id];
        if (!score) return null;
        const value = score.value;
        const parts = score.parts.length ? `per image: ${score.parts.map(figure).join(", ")}` : "";
        return (
          <div class={value !== null && value === top[kind.id] ? "score top" : "score"} title={[kind.help, score.reason, parts].filter(Boolean).join(" – ")}>
            <dt>{kind.label}</dt>
            <dd>{value === null ? <span class="missing">{spaced(score.outcome)}</span> : <>{figure(value)}<Bar value={value} of={most[kind.id] ?? 1} /></>}</dd>
          </div>
        );
      })}
    </dl>
  );
}
