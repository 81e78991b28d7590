// How strongly the feature fires on random images; heights are logarithmic, as most images lie near zero.
import type { Histogram as Data } from "../data/types";
import { figure, percent } from "./parts";

const [W, H] = [320, 110];

export function Histogram({ data }: { data: Data }) {
  const most = Math.log1p(Math.max(1, ...data.counts));
  const last = data.edges.at(-1) || 1;
  const wide = W / data.counts.length;
  const told = `${percent(data.silent / data.images)} of ${data.images} random images do not make it fire; the strongest reaches ${figure(last)}.`;
  return (
    <figure class="histogram">
      <svg viewBox={`0 -6 ${W} ${H + 26}`} role="img" aria-label={told}>
        {data.counts.map((number, bin) => {
          const high = number ? Math.max(2, (H * Math.log1p(number)) / most) : 0;
          return (
            <rect x={bin * wide + 0.5} y={H - high} width={wide - 1} height={high} rx="1.5">
              <title>{`${number} images with S from ${figure(data.edges[bin])} to ${figure(data.edges[bin + 1])}`}</title>
            </rect>
          );
        })}
        <line x1="0" x2={W} y1={H} y2={H} />
        {data.top.map((value) => <path class="top-mark" d={`M${Math.min(W - 1, (value / last) * W)} ${H + 1} l-3.5 6 h7 z`}><title>{`a top image: S ${figure(value)}`}</title></path>)}
        <text x="0" y={H + 19}>0</text>
        <text x={W} y={H + 19} text-anchor="end">S = {figure(last)}</text>
      </svg>
      <figcaption>{told} <span class="top-mark">▲</span> top images.</figcaption>
    </figure>
  );
}
