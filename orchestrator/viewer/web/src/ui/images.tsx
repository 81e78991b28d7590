// Top images under their activation maps. The overlays are what the explainer saw: a mask is black where f = 0 (nearest
// neighbour), a heatmap mixes in green by strength × min–max f (smooth); the slider says how much of it is laid over.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { imageAt } from "../data/source";
import type { Picture } from "../data/types";
import { figure } from "./parts";

export type Look = "heatmap" | "mask";
type Map2 = Pick<Picture, "positions" | "values">;
const COARSE = 128; // pictures smaller than this show their pixels

function paint(canvas: HTMLCanvasElement, map: Map2, [rows, columns]: [number, number], look: Look, strength: number): void {
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  if (!context || !rows || !columns) return;
  const image = context.createImageData(columns, rows);
  const full = map.positions.length === rows * columns;
  const low = full ? Math.min(...map.values) : 0;
  const high = Math.max(0, ...map.values);
  if (look === "mask") for (let at = 0; at < rows * columns; at++) image.data[4 * at + 3] = 255;
  map.positions.forEach((position, at) => {
    const share = high > low ? ((map.values[at] as number) - low) / (high - low) : 1;
    if (look === "mask") image.data[4 * position + 3] = 0;
    else image.data[4 * position + 3] = 255 * strength * share;
  });
  if (look === "heatmap") for (let at = 0; at < rows * columns; at++) image.data[4 * at + 1] = 255;
  context.putImageData(image, 0, 0);
}

export function Overlay(props: { src: string; alt: string; map: Map2; grid: [number, number]; look: Look; strength: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { map, grid, look, strength } = props;
  const usable = grid[0] > 0;
  useLayoutEffect(() => {
    if (canvas.current && usable) paint(canvas.current, map, grid, look, strength);
  }, [map, grid[0], grid[1], look, strength]);
  return (
    <span class="overlaid">
      <Thumb src={props.src} alt={props.alt} />
      {usable ? <canvas ref={canvas} class={look} aria-hidden="true" /> : null}
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

export function Gallery(props: { pictures: Picture[]; grid: [number, number]; look: Look; strength: number; feature: number }) {
  return (
    <div class="gallery">
      {props.pictures.map((picture, place) => (
        <figure key={picture.src}>
          <Overlay
            src={imageAt(picture.src)} map={picture} grid={props.grid} look={props.look} strength={props.strength}
            alt={`top image ${place + 1} of feature ${props.feature}`}
          />
          <figcaption title={picture.path}>S {figure(picture.score)}</figcaption>
        </figure>
      ))}
    </div>
  );
}
