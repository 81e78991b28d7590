// The canvas of the map: points, names, zoom and pan (d3-zoom knows wheels, fingers and double clicks), the point under the
// pointer (a quadtree). Colours and what is lit come from outside.
import { quadtree, type Quadtree } from "d3-quadtree";
import { scaleLinear } from "d3-scale";
import { select } from "d3-selection";
import { type D3ZoomEvent, zoom, zoomIdentity, type ZoomBehavior, type ZoomTransform } from "d3-zoom";
import type { Cluster, MapDocument } from "../data/types";

type At = { point: number; x: number; y: number } | null;
const REACH = 16;
const MARGIN = 28;
const NAME_GAP = 6;
const ABOVE = 15;

/** The clusters with their numbers, the largest first. */
export const bySize = (map: MapDocument): (Cluster & { number: number })[] =>
  map.clusters.map((cluster, number) => ({ ...cluster, number })).sort((a, b) => b.size - a.size);

export class Chart {
  private readonly context: CanvasRenderingContext2D;
  private readonly tree: Quadtree<number>;
  private readonly behaviour: ZoomBehavior<HTMLCanvasElement, unknown>;
  private readonly observer: ResizeObserver;
  private transform: ZoomTransform = zoomIdentity;
  private lit: Uint8Array | null = null;
  private chosen = -1;
  private frameAsked = 0;
  private wide = 1;
  private high = 1;
  private byColour: [string, number[]][] = [];
  private touched = false;

  constructor(private readonly canvas: HTMLCanvasElement, private readonly map: MapDocument, private readonly hovered: (at: At) => void, private readonly opened: (point: number) => void) {
    this.context = canvas.getContext("2d") as CanvasRenderingContext2D;
    this.tree = quadtree<number>(map.features.map((_, point) => point), (point) => map.x[point] as number, (point) => map.y[point] as number);
    this.behaviour = zoom<HTMLCanvasElement, unknown>().scaleExtent([0.7, 60]).clickDistance(5).on("zoom", (event: D3ZoomEvent<HTMLCanvasElement, unknown>) => {
      this.transform = event.transform;
      this.tell();
      this.draw();
    });
    select(canvas).call(this.behaviour).on("dblclick.zoom", null);
    canvas.addEventListener("pointermove", this.move);
    canvas.addEventListener("pointerleave", this.leave);
    canvas.addEventListener("pointerdown", this.down);
    canvas.addEventListener("click", this.click);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(canvas);
    this.resize();
  }

  destroy(): void {
    select(this.canvas).on(".zoom", null);
    this.canvas.removeEventListener("pointermove", this.move);
    this.canvas.removeEventListener("pointerleave", this.leave);
    this.canvas.removeEventListener("pointerdown", this.down);
    this.canvas.removeEventListener("click", this.click);
    this.observer.disconnect();
    cancelAnimationFrame(this.frameAsked);
  }

  show(colours: string[], lit: Uint8Array | null): void {
    this.lit = lit;
    const groups = new Map<string, number[]>();
    colours.forEach((colour, point) => {
      const group = groups.get(colour);
      if (group) group.push(point);
      else groups.set(colour, [point]);
    });
    this.byColour = [...groups];
    this.draw();
  }

  zoom(factor: number): void {
    this.behaviour.scaleBy(select(this.canvas), factor);
  }

  reset(): void {
    this.behaviour.transform(select(this.canvas), zoomIdentity);
  }

  /** Bring some points into view. */
  frame(points: number[]): void {
    if (!points.length) return;
    const [xs, ys] = [points.map((point) => this.baseX(point)), points.map((point) => this.baseY(point))];
    const middle = (values: number[]): [number, number] => {
      const sorted = [...values].sort((a, b) => a - b);
      return [sorted[Math.floor(sorted.length * 0.05)] as number, sorted[Math.floor((sorted.length - 1) * 0.95)] as number];
    };
    const [[left, right], [up, down]] = [middle(xs), middle(ys)];
    const scale = Math.max(0.9, Math.min(12, 0.6 / Math.max((right - left) / this.wide, (down - up) / this.high, 0.02)));
    const to = zoomIdentity.translate(this.wide / 2, this.high / 2).scale(scale).translate(-(left + right) / 2, -(up + down) / 2);
    this.behaviour.transform(select(this.canvas), to);
  }

  /** Choose the nearest point in a direction. */
  step(dx: number, dy: number): void {
    if (this.chosen < 0) return this.choose(this.tree.find(0.5, 0.5) ?? -1);
    const [x, y] = [this.map.x[this.chosen] as number, this.map.y[this.chosen] as number];
    let [best, least] = [-1, Infinity];
    for (let point = 0; point < this.map.features.length; point++) {
      const [ax, ay] = [(this.map.x[point] as number) - x, (this.map.y[point] as number) - y];
      const ahead = ax * dx + ay * dy;
      const aside = Math.abs(ax * dy - ay * dx);
      if (point === this.chosen || ahead <= 1e-9 || aside > ahead || (this.lit && !this.lit[point])) continue;
      const far = ahead + 2 * aside;
      if (far < least) [best, least] = [point, far];
    }
    if (best >= 0) this.choose(best);
  }

  private choose(point: number): void {
    this.chosen = point;
    const [x, y] = [this.screenX(point), this.screenY(point)];
    if (point >= 0 && (x < 0 || y < 0 || x > this.wide || y > this.high)) this.behaviour.translateTo(select(this.canvas), this.baseX(point), this.baseY(point));
    this.tell();
    this.draw();
  }

  private get side(): number {
    return Math.min(this.wide, this.high) - 2 * MARGIN;
  }

  /** Where a place of the map (0…1) is on the canvas before it is zoomed. */
  private acrossAt = (x: number): number => this.wide / 2 + (x - 0.5) * this.side * this.stretch[0];
  private downAt = (y: number): number => this.high / 2 + (y - 0.5) * this.side * this.stretch[1];
  private baseX = (point: number): number => this.acrossAt(this.map.x[point] as number);
  private baseY = (point: number): number => this.downAt(this.map.y[point] as number);
  private screenX = (point: number): number => this.transform.applyX(this.baseX(point));
  private screenY = (point: number): number => this.transform.applyY(this.baseY(point));

  /** The longer side of the canvas may be used up to a half more than the shorter one. */
  private get stretch(): [number, number] {
    const ratio = this.wide / this.high;
    return ratio > 1 ? [Math.min(1.5, ratio), 1] : [1, Math.min(1.5, 1 / ratio)];
  }

  private under(event: PointerEvent | MouseEvent): number {
    const box = this.canvas.getBoundingClientRect();
    const [sx, sy] = [event.clientX - box.left, event.clientY - box.top];
    const back = this.transform.invert([sx, sy]);
    const x = 0.5 + (back[0] - this.wide / 2) / (this.side * this.stretch[0]);
    const y = 0.5 + (back[1] - this.high / 2) / (this.side * this.stretch[1]);
    const found = this.tree.find(x, y, (2 * REACH) / (this.transform.k * this.side));
    return found !== undefined && Math.hypot(this.screenX(found) - sx, this.screenY(found) - sy) <= REACH ? found : -1;
  }

  private move = (event: PointerEvent): void => {
    if (event.buttons || event.pointerType === "touch") return;
    const point = this.under(event);
    this.canvas.style.cursor = point >= 0 ? "pointer" : "grab";
    if (point !== this.chosen) {
      this.chosen = point;
      this.tell();
      this.draw();
    }
  };

  private leave = (event: PointerEvent): void => {
    if (event.pointerType === "touch" || this.canvas.parentElement?.querySelector(".hover:hover")) return;
    this.chosen = -1;
    this.hovered(null);
    this.draw();
  };

  private down = (event: PointerEvent): void => {
    this.touched = event.pointerType === "touch";
  };

  private click = (event: MouseEvent): void => {
    const point = this.under(event);
    const second = point === this.chosen || !this.touched; // a finger shows first, and opens what it has shown
    if (point >= 0 && second) return this.opened(point);
    this.chosen = point;
    this.tell();
    this.draw();
  };

  private tell(): void {
    this.hovered(this.chosen < 0 ? null : { point: this.chosen, x: this.screenX(this.chosen) / this.wide, y: this.screenY(this.chosen) / this.high });
  }

  private resize(): void {
    const box = this.canvas.getBoundingClientRect();
    const ratio = devicePixelRatio || 1;
    [this.wide, this.high] = [Math.max(1, box.width), Math.max(1, box.height)];
    [this.canvas.width, this.canvas.height] = [Math.round(this.wide * ratio), Math.round(this.high * ratio)];
    this.draw();
  }

  private draw(): void {
    cancelAnimationFrame(this.frameAsked);
    this.frameAsked = requestAnimationFrame(() => this.paint());
  }

  private paint(): void {
    const { context, lit } = this;
    const ratio = this.canvas.width / this.wide;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.wide, this.high);
    const few = scaleLinear([50, 10_000], [5.5, 2]).clamp(true)(this.map.features.length);
    const radius = few * Math.min(2.6, Math.sqrt(this.transform.k));
    for (const dim of lit ? [true, false] : [false]) {
      context.globalAlpha = dim ? 0.12 : 0.85;
      for (const [colour, points] of this.byColour) {
        context.fillStyle = colour;
        context.beginPath();
        for (const point of points) {
          if (lit && Boolean(lit[point]) === dim) continue;
          const [x, y] = [this.screenX(point), this.screenY(point)];
          if (x < -9 || y < -9 || x > this.wide + 9 || y > this.high + 9) continue;
          context.moveTo(x + radius, y);
          context.arc(x, y, radius, 0, 2 * Math.PI);
        }
        context.fill();
      }
    }
    context.globalAlpha = 1;
    this.names();
    if (this.chosen >= 0) {
      context.lineWidth = 2.5;
      context.strokeStyle = getComputedStyle(this.canvas).color;
      context.beginPath();
      context.arc(this.screenX(this.chosen), this.screenY(this.chosen), radius + 3, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  /** Names of the clusters at their middles, the largest first, as long as they do not overlap. */
  private names(): void {
    const { context, map } = this;
    const style = getComputedStyle(this.canvas);
    context.font = `600 12.5px ${style.fontFamily}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    const taken: [number, number, number, number][] = [];
    for (const { name, x, y } of bySize(map)) {
      const middle = this.transform.applyX(this.acrossAt(x));
      const sy = this.transform.applyY(this.downAt(y)) - ABOVE;
      const told = name.length > 34 ? `${name.slice(0, 33)}…` : name;
      const half = context.measureText(told).width / 2 + NAME_GAP;
      if (middle < 0 || middle > this.wide || sy < 12 || sy > this.high - 12 || 2 * half > this.wide) continue;
      const sx = Math.min(Math.max(middle, half), this.wide - half); // at the edge it stands whole, beside its middle
      const box: [number, number, number, number] = [sx - half, sy - 11, sx + half, sy + 11];
      if (taken.some((one) => box[0] < one[2] && one[0] < box[2] && box[1] < one[3] && one[1] < box[3])) continue;
      taken.push(box);
      context.lineWidth = 4;
      context.strokeStyle = style.backgroundColor;
      context.strokeText(told, sx, sy);
      context.fillStyle = style.color;
      context.fillText(told, sx, sy);
    }
  }
}
