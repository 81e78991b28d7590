// Only the rows in sight are in the document.
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer, type VirtualItem } from "@tanstack/virtual-core";
import type { RefObject } from "preact";
import { useLayoutEffect, useReducer, useState } from "preact/hooks";

export function useRows(scroller: RefObject<HTMLDivElement | null>, count: number, height: number): { items: VirtualItem[]; total: number; show: (row: number) => void } {
  const [, again] = useReducer((old: number) => old + 1, 0);
  const options = {
    count, estimateSize: () => height, getScrollElement: () => scroller.current, overscan: 3,
    observeElementRect, observeElementOffset, scrollToFn: elementScroll, onChange: () => again(undefined as never),
    initialRect: { width: 1000, height: 800 }, scrollPaddingStart: 40,
  };
  const [rows] = useState(() => new Virtualizer<HTMLDivElement, Element>(options));
  rows.setOptions(options);
  useLayoutEffect(() => rows._didMount(), []);
  useLayoutEffect(() => rows._willUpdate());
  useLayoutEffect(() => rows.measure(), [height]);
  return { items: rows.getVirtualItems(), total: rows.getTotalSize(), show: (row) => rows.scrollToIndex(row) };
}
