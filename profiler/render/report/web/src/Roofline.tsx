/** What bounds each layer on the device, arithmetic or memory? Layers under the device's roof. */
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { axis, Chart, FONT, type Option } from "./Chart";
import type { Model, Roofline as Roof } from "./data";
import { duration, format } from "./format";
import { Name, short } from "./Name";
import { type Colours, colourOf, type Theme, useTheme } from "./theme";

/** 67.00 TFLOP/s */
function perSecond(value: number, what: string): string {
  const text = format(value, "rate");
  return `${text}${/[a-z]$/i.test(text) ? "" : " "}${what}/s`;
}

interface Props {
  model: Model;
  roofline: Roof;
  selected: number;
  colours: Colours;
  onSelect: (row: number) => void;
}

const LARGEST = 46; // pixels that the slowest layer is wide
const SMALLEST = 5;

export function Roofline(props: Props): JSX.Element {
  const { model, roofline, selected } = props;
  const theme = useTheme();
  const points = useMemo(
    () => roofline.points.filter(([, intensity, speed]) => intensity > 0 && speed > 0).sort((a, b) => b[3] - a[3]),
    [roofline],
  );
  const option = useMemo(() => optionOf(props, points, theme), [points, selected, theme.isDark, props.colours]);
  const [[, most]] = roofline.peaks;
  const ridge = most / roofline.bytes_per_second;
  const peaks = roofline.peaks.map(([dtype, speed]) => `${perSecond(speed, "FLOP")} in ${dtype}`).join(", ");
  return (
    <section class="roofline" aria-labelledby="roofline-heading">
      <div class="section-head">
        <h2 id="roofline-heading">Roofline</h2>
        <p class="muted">
          <Name text={roofline.device} />: {peaks}, {perSecond(roofline.bytes_per_second, "B")}; memory bounds what is
          left of {format(ridge, "ratio")} FLOP/byte. Times are {roofline.word}; a layer's disc is as large as its time.
        </p>
      </div>
      <Chart
        label={`Roofline of ${model.label} on ${roofline.device}: ${points.length} layers by FLOP per byte and FLOP per second.`}
        height={400}
        option={option}
        onClick={({ series, index }) => series === 0 && props.onSelect(points[index][0])}
        tip={({ series, index }) =>
          series === 0 && <PointTip model={model} point={points[index]} word={roofline.word} />
        }
      />
    </section>
  );
}

function PointTip({ model, point, word }: { model: Model; point: Roof["points"][0]; word: string }): JSX.Element {
  const [row, intensity, speed, seconds] = point;
  return (
    <>
      <strong>
        <Name text={short(model.paths[row] || model.label, 80)} />
      </strong>
      <Name text={short(model.classes[row], 60)} />
      <span>
        {format(intensity, "ratio")} FLOP/byte, {perSecond(speed, "FLOP")}
      </span>
      <span>
        {duration(seconds)} ({word})
      </span>
    </>
  );
}

function optionOf({ model, roofline, selected, colours }: Props, points: Roof["points"], theme: Theme): Option {
  const speeds = roofline.peaks.map(([, speed]) => speed);
  const ridges = speeds.map((speed) => speed / roofline.bytes_per_second);
  const across = range([...points.map(([, intensity]) => intensity), ...ridges]);
  const up = range([...points.map(([, , speed]) => speed), ...speeds]);
  const longest = Math.max(...points.map(([, , , seconds]) => seconds));
  const write = (value: number): string =>
    value >= 1000 ? format(value, "rate").replace(/\.0+ /, " ") : String(value);
  const log = { type: "log" as const };
  return {
    grid: { left: 76, right: 20, top: 16, bottom: 44, outerBoundsMode: "none" },
    xAxis: { ...axis(theme, "FLOP/byte", write), ...log, min: across[0], max: across[1], nameGap: 28 },
    yAxis: { ...axis(theme, "FLOP/s", write), ...log, min: up[0], max: up[1], nameGap: 58 },
    series: [
      {
        type: "scatter",
        z: 3,
        data: points.map(([row, intensity, speed, seconds]) => ({
          value: [intensity, speed],
          symbolSize: Math.max(SMALLEST, LARGEST * Math.sqrt(seconds / longest)),
          itemStyle: {
            color: colourOf(colours, model.classes[row]),
            opacity: 0.85,
            borderColor: row === selected ? theme.peak : theme.text,
            borderWidth: row === selected ? 3 : 0.6,
          },
        })),
        label: { show: false, fontFamily: FONT },
      },
      ...roofline.peaks.map((peak) => roof(peak, roofline.bytes_per_second, across, up[0], theme)),
    ],
  };
}

/** From memory's slope to what arithmetic in one dtype can reach, whose name stands on it. */
function roof(
  [dtype, top]: Roof["peaks"][0],
  slope: number,
  [low, high]: [number, number],
  slowest: number,
  theme: Theme,
): object {
  return {
    type: "line",
    data: [[low, Math.max(slowest, low * slope)], [top / slope, top], { value: [high, top], label: { show: true } }],
    label: { position: [-8, -16], align: "right", formatter: () => dtype, color: theme.text, fontFamily: FONT },
    symbol: "circle",
    symbolSize: 0.1,
    showAllSymbol: true,
    silent: true,
    lineStyle: { color: theme.text, width: 1.5 },
  };
}

/** Whole powers of ten around the values. */
function range(values: number[]): [number, number] {
  const logs = values.filter((value) => value > 0).map(Math.log10);
  return [10 ** Math.floor(Math.min(...logs) - 0.1), 10 ** Math.ceil(Math.max(...logs) + 0.1)];
}
