// What is laid over an image, by the formulas of pipeline/render.py and as the explainer saw it: a mask is black where f = 0
// (nearest neighbour); a heatmap of a = min–max f mixes in green by strength × a, or viridis(a) everywhere by strength.
import type { Picture, Tint } from "../data/types";

export type Look = "heatmap" | "mask";
export type Activations = Pick<Picture, "positions" | "values">; // sparse, on the grid
export interface Style { look: Look; tint: Tint; strength: number }
type Grid = [rows: number, columns: number];
type Colour = [red: number, green: number, blue: number];

const FINE = 128; // cells of a viridis overlay: the browser smooths colours, but it is a that has to be smooth

/** Fill a canvas; the page stretches it over the image. */
export function paint(canvas: HTMLCanvasElement, map: Activations, grid: Grid, style: Style): void {
  if (style.look === "mask") return fill(canvas, grid, mask(map, grid));
  const shares = minMax(map, grid);
  if (style.tint === "green") return fill(canvas, grid, shares.map((share) => [0, 255, 0, 255 * style.strength * share]));
  const [fine, smooth] = upsampled(shares, grid);
  fill(canvas, fine, smooth.map((share) => [...viridis(share), 255 * style.strength]));
}

function fill(canvas: HTMLCanvasElement, [rows, columns]: Grid, cells: number[][]): void {
  [canvas.width, canvas.height] = [columns, rows];
  const context = canvas.getContext("2d");
  if (!context) return;
  const image = context.createImageData(columns, rows);
  image.data.set(cells.flat());
  context.putImageData(image, 0, 0);
}

function mask(map: Activations, [rows, columns]: Grid): number[][] {
  const cells = Array.from({ length: rows * columns }, () => [0, 0, 0, 255]);
  for (const position of map.positions) cells[position] = [0, 0, 0, 0];
  return cells;
}

/** The map in 0…1 within the image; one that is equal everywhere is 1 where it is active. */
function minMax(map: Activations, [rows, columns]: Grid): number[] {
  const shares = new Array<number>(rows * columns).fill(0);
  const low = map.positions.length === shares.length ? Math.min(...map.values) : 0;
  const high = Math.max(0, ...map.values);
  map.positions.forEach((position, at) => (shares[position] = high > low ? ((map.values[at] as number) - low) / (high - low) : 1));
  return shares;
}

/** Bilinear, with the values at the middles of their patches. */
function upsampled(shares: number[], [rows, columns]: Grid): [Grid, number[]] {
  const times = Math.max(1, Math.ceil(FINE / Math.max(rows, columns)));
  const ups = steps(rows, times);
  const acrosses = steps(columns, times);
  const at = (row: number, column: number): number => shares[row * columns + column] as number;
  const smooth = ups.flatMap(([up, down, y]) =>
    acrosses.map(([left, right, x]) => (1 - y) * ((1 - x) * at(up, left) + x * at(up, right)) + y * ((1 - x) * at(down, left) + x * at(down, right))),
  );
  return [[rows * times, columns * times], smooth];
}

/** For every fine cell of a side its two neighbours, and how far it is from the first to the second. */
function steps(cells: number, times: number): [number, number, number][] {
  return Array.from({ length: cells * times }, (_, fine) => {
    const place = Math.max(0, Math.min(cells - 1, (fine + 0.5) / times - 0.5));
    const first = Math.floor(place);
    return [first, Math.min(cells - 1, first + 1), place - first];
  });
}

// matplotlib's viridis at sixteenths; between them it is almost straight
const VIRIDIS = "440154 47186a 472c7b 424085 3a528b 32628d 2c728e 26818e 20908c 1e9e88 27ad80 3dbb74 5bc862 81d34c aadb32 d4e11a fde724"
  .split(" ").map((hex): Colour => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)) as Colour);

export function viridis(share: number): Colour {
  const place = Math.max(0, Math.min(1, share)) * (VIRIDIS.length - 1);
  const first = Math.min(VIRIDIS.length - 2, Math.floor(place));
  const [below, above] = [VIRIDIS[first], VIRIDIS[first + 1]] as [Colour, Colour];
  return below.map((part, at) => part + (place - first) * ((above[at] as number) - part)) as Colour;
}
