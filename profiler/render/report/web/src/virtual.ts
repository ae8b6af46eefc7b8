/** Which of many rows are drawn? Those that are scrolled into view, and the one that has the focus. */
import {
  defaultRangeExtractor,
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
  type VirtualItem,
  type VirtualizerOptions,
} from "@tanstack/virtual-core";
import { useLayoutEffect, useReducer, useRef } from "preact/hooks";

interface Rows {
  count: number;
  height: number; // of a row
  above: number; // height of what stands above the rows in the same scrolling element, and stays there
  scrolled: { current: HTMLElement | null };
  kept: number; // a row that is drawn wherever it is; -1: none
}

type Virtual = Virtualizer<HTMLElement, HTMLElement>;

export function useVirtual({ count, height, above, scrolled, kept }: Rows): [VirtualItem[], Virtual] {
  const [, render] = useReducer((changes: number) => changes + 1, 0);
  const virtualizer = useRef<Virtual | null>(null);
  const settings: VirtualizerOptions<HTMLElement, HTMLElement> = {
    count,
    getScrollElement: () => scrolled.current,
    estimateSize: () => height,
    overscan: 12,
    scrollMargin: above,
    scrollPaddingStart: above,
    initialRect: { width: 800, height: 640 },
    rangeExtractor: (range) => withKept(defaultRangeExtractor(range), kept, count),
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    onChange: () => render(0),
  };
  virtualizer.current ??= new Virtualizer(settings);
  virtualizer.current.setOptions(settings);
  useLayoutEffect(() => virtualizer.current!._didMount(), []);
  useLayoutEffect(() => virtualizer.current!._willUpdate());
  return [virtualizer.current.getVirtualItems(), virtualizer.current];
}

function withKept(rows: number[], kept: number, count: number): number[] {
  if (kept < 0 || kept >= count || rows.includes(kept)) return rows;
  return [...rows, kept].sort((one, other) => one - other);
}
