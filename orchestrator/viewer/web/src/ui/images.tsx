// Images, alone or under what is laid over them; the page's --blend says how much of that is seen.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { imageAt } from "../data/source";
import type { Table } from "../data/table";
import type { Picture } from "../data/types";
import { type Activations, paint, type Style } from "./overlay";
import { figure } from "./parts";

const COARSE = 128; // pictures smaller than this show their pixels

export function Overlay(props: { src: string; alt: string; map: Activations; grid: [number, number]; style: Style }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { map, grid, style } = props;
  const usable = grid[0] > 0 && grid[1] > 0;
  useLayoutEffect(() => {
    if (canvas.current && usable) paint(canvas.current, map, grid, style);
  }, [map, grid[0], grid[1], style.look, style.tint, style.strength]);
  return (
    <span class="overlaid">
      <Thumb src={props.src} alt={props.alt} />
      {usable ? <canvas ref={canvas} class={style.look} aria-hidden="true" /> : null}
    </span>
  );
}

/** An image that says so when it is gone, and shows its pixels when it has few. `src` is ready for the browser. */
export function Thumb({ src, alt }: { src: string; alt: string }) {
  const [gone, setGone] = useState("");
  const [coarse, setCoarse] = useState(false);
  if (gone === src || !src) return <span class="gone" role="img" aria-label={`${alt} (gone)`} title="this image is gone from disk">gone</span>;
  return (
    <img
      src={src} alt={alt} loading="lazy" decoding="async" class={coarse ? "coarse" : ""} draggable={false}
      onError={() => setGone(src)} onLoad={(event) => setCoarse(event.currentTarget.naturalWidth < COARSE)}
    />
  );
}

/** The first top images of a row. */
export const Thumbs = ({ table, row }: { table: Table; row: number }) => <>{table.thumbs(row).map((path) => <Thumb key={path} src={imageAt(path)} alt="" />)}</>;

export function Gallery(props: { pictures: Picture[]; grid: [number, number]; style: Style; feature: number }) {
  return (
    <div class="gallery">
      {props.pictures.map((picture, place) => (
        <figure key={picture.src}>
          <Overlay
            src={imageAt(picture.src)} map={picture} grid={props.grid} style={props.style}
            alt={`top image ${place + 1} of feature ${props.feature}`}
          />
          <figcaption title={picture.path}>S {figure(picture.score)}</figcaption>
        </figure>
      ))}
    </div>
  );
}
