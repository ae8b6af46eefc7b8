/** Who draws? ECharts, on a canvas, once the place for it has been scrolled near. */
import { BarChart, LineChart, ScatterChart, TreemapChart } from "echarts/charts";
import { GridComponent, MarkAreaComponent, MarkPointComponent } from "echarts/components";
import { type ECharts, init, use } from "echarts/core";
import { LabelLayout } from "echarts/features";
import { CanvasRenderer } from "echarts/renderers";
import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { useSeen } from "./hooks";
import { useTheme, type Theme } from "./theme";

use([
  BarChart,
  CanvasRenderer,
  GridComponent,
  LabelLayout,
  LineChart,
  MarkAreaComponent,
  MarkPointComponent,
  ScatterChart,
  TreemapChart,
]);

export type Option = Parameters<ECharts["setOption"]>[0];
const PAPER = 680; // pixels, which are 18 cm on paper
export const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";

/** What the pointer is on: a datum of a series, by its index and as it was handed over. */
export interface Pointed {
  series: number;
  index: number;
  data: unknown;
  x: number;
  y: number;
}

interface Props {
  label: string; // a sentence, for who cannot see it
  height: number;
  option: Option;
  tip?: (pointed: Pointed) => ComponentChildren; // what is said of what the pointer is on
  onClick?: (pointed: Pointed) => void;
  onMove?: (chart: ECharts, x: number) => void; // pixels from the left
  children?: ComponentChildren; // over the drawing
}

interface Event {
  seriesIndex?: number;
  dataIndex?: number;
  data?: unknown;
  event?: { offsetX: number; offsetY: number };
}

export function Chart(props: Props): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts | null>(null);
  const current = useRef(props);
  current.current = props;
  const [pointed, setPointed] = useState<Pointed | null>(null);
  const { isPrinting } = useTheme();
  const isWanted = useSeen(place) || isPrinting;

  useLayoutEffect(() => {
    if (!isWanted || !place.current) return;
    const sharp = isPrinting ? { width: PAPER, devicePixelRatio: 3 } : {};
    const drawn = init(place.current, null, { renderer: "canvas", ...sharp });
    chart.current = drawn;
    listen(drawn, current, setPointed);
    const observer = new ResizeObserver(() => drawn.resize());
    if (!isPrinting) observer.observe(place.current);
    return () => {
      observer.disconnect();
      drawn.dispose();
      chart.current = null;
    };
  }, [isWanted, isPrinting]);
  useLayoutEffect(() => {
    setPointed(null);
    chart.current?.setOption({ animation: false, ...props.option }, { notMerge: true });
    chart.current?.getZr().flush();
  }, [props.option, isWanted, isPrinting]);

  return (
    <div class="chart" role="img" aria-label={props.label}>
      <div class="drawing">
        <div
          class="canvas"
          ref={place}
          style={{ height: `${props.height}px`, width: isPrinting ? `${PAPER}px` : "100%" }}
        />
        {props.children}
      </div>
      {pointed && props.tip && (
        <Tip pointed={pointed} width={place.current!.clientWidth} content={props.tip(pointed)} />
      )}
    </div>
  );
}

function listen(drawn: ECharts, props: { current: Props }, point: (pointed: Pointed | null) => void): void {
  const read = ({ seriesIndex = 0, dataIndex = 0, data, event }: Event): Pointed => ({
    series: seriesIndex,
    index: dataIndex,
    data,
    x: event?.offsetX ?? 0,
    y: event?.offsetY ?? 0,
  });
  drawn.on("mousemove", (event) => point(read(event as Event)));
  drawn.on("mouseout", () => point(null));
  drawn.on("globalout", () => point(null));
  drawn.on("click", (event) => props.current.onClick?.(read(event as Event)));
  drawn.getZr().on("mousemove", (event: { offsetX: number }) => props.current.onMove?.(drawn, event.offsetX));
  drawn.getZr().on("click", (event: { offsetX: number }) => props.current.onMove?.(drawn, event.offsetX));
}

function Tip({
  pointed,
  width,
  content,
}: {
  pointed: Pointed;
  width: number;
  content: ComponentChildren;
}): JSX.Element {
  const isRight = pointed.x > width / 2;
  const place = isRight ? { right: `${width - pointed.x + 14}px` } : { left: `${pointed.x + 14}px` };
  return (
    <div class="tip" style={{ ...place, top: `${pointed.y + 14}px` }}>
      {content}
    </div>
  );
}

/** What axes have in common. */
export function axis(theme: Theme, name: string, write: (value: number) => string): object {
  return {
    name,
    nameLocation: "middle",
    nameTextStyle: { color: theme.muted, fontFamily: FONT, fontSize: 12 },
    axisLabel: { color: theme.muted, fontFamily: FONT, fontSize: 11, formatter: write, hideOverlap: true },
    axisLine: { show: true, lineStyle: { color: theme.line } },
    axisTick: { lineStyle: { color: theme.line } },
    splitLine: { lineStyle: { color: theme.line, opacity: 0.6 } },
    minorSplitLine: { show: false },
  };
}

/** Of an axis of bytes: lines at a power of two, about five of them, so that their texts are short. */
export function byteSteps(most: number): { min: number; max: number; interval: number } {
  const interval = 2 ** Math.ceil(Math.log2(Math.max(1, most) / 6));
  return { min: 0, max: interval * Math.ceil((1.02 * most) / interval), interval };
}
