/** What is alive when? The bytes at each call, the peak, and a list of what is there at the call of the cursor. */
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { aliveAt, thinned } from "./alive";
import { axis, byteSteps, Chart, type Option } from "./Chart";
import type { Memory as Timeline, Model } from "./data";
import { bytes, exact } from "./format";
import { useMore } from "./hooks";
import { Name } from "./Name";
import { type Theme, useTheme } from "./theme";

const HEIGHT = 260;
const LEFT = 76; // pixels beside the drawing, which the slider has too
const RIGHT = 20;
const POINTS = 1500;
const LISTED = 12;
const SMALL = 10 * 1024; // bytes, up to which KB are too large a unit

interface Props {
  model: Model;
  memory: Timeline;
  onSelect: (row: number) => void;
}

export function Memory({ model, memory, onSelect }: Props): JSX.Element {
  const [call, setCall] = useState(memory.peak ?? 0);
  const theme = useTheme();
  const last = memory.live.length - 1;
  const option = useMemo(() => optionOf(memory, theme), [memory, theme.isDark]);
  const peak = memory.peak === null ? "" : `, most at call ${memory.peak + 1}: ${bytes(memory.live[memory.peak])}`;
  return (
    <section class="memory" aria-labelledby="memory-heading">
      <div class="section-head">
        <h2 id="memory-heading">Memory over time</h2>
        <span class="spring" />
        <button
          type="button"
          disabled={memory.peak === null || call === memory.peak}
          onClick={() => setCall(memory.peak ?? 0)}
        >
          Go to the peak
        </button>
      </div>
      <div class="memory-parts">
        <div>
          <Chart
            label={`Bytes that are alive at each of ${memory.live.length.toLocaleString("en")} operator calls${peak}.`}
            height={HEIGHT}
            option={option}
            onMove={(chart, x) => setCall(clamped(Math.round(chart.convertFromPixel({ xAxisIndex: 0 }, x)), last))}
          >
            <Phases memory={memory} last={Math.max(1, last)} />
            <Cursor share={last ? call / last : 0} />
          </Chart>
          <input
            type="range"
            class="slider"
            aria-label="Operator call"
            aria-valuetext={`call ${call + 1} of ${last + 1}, ${bytes(memory.live[call])} alive`}
            min={0}
            max={last}
            value={call}
            style={{ "--left": `${LEFT - 8}px`, "--beside": `${LEFT + RIGHT - 16}px` }}
            onInput={(event) => setCall(Number(event.currentTarget.value))}
          />
        </div>
        <AliveList model={model} memory={memory} call={call} onSelect={onSelect} />
      </div>
    </section>
  );
}

function clamped(call: number, last: number): number {
  return Math.min(last, Math.max(0, call));
}

/** The names of those that have room. */
function Phases({ memory, last }: { memory: Timeline; last: number }): JSX.Element {
  return (
    <div class="phases" style={{ left: `${LEFT}px`, right: `${RIGHT}px` }}>
      {memory.phases.map(([kind, first, end]) => (
        <span key={first} style={{ left: `${(100 * first) / last}%`, width: `${(100 * (end - first)) / last}%` }}>
          <span>{kind}</span>
        </span>
      ))}
    </div>
  );
}

function Cursor({ share }: { share: number }): JSX.Element {
  return <div class="cursor" style={{ left: `calc(${LEFT}px + (100% - ${LEFT + RIGHT}px) * ${share})` }} />;
}

interface ListProps extends Props {
  call: number;
}

function AliveList({ model, memory, call, onSelect }: ListProps): JSX.Element {
  const place = useMore();
  const alive = useMemo(() => aliveAt(memory, call), [memory, call]);
  const listed = alive.slice(0, LISTED);
  const rest = alive.slice(LISTED).reduce((sum, { bytes }) => sum + bytes, 0);
  const unlisted = memory.live[call] - alive.reduce((sum, { bytes }) => sum + bytes, 0);
  const phase = memory.phases.find(([, first, last]) => first <= call && call <= last);
  return (
    <div class="alive" ref={place} data-call={call}>
      <p class="alive-head">
        <strong data-value={memory.live[call]}>{bytes(memory.live[call])}</strong> alive at call {exact(call + 1)} of{" "}
        {exact(memory.live.length)}
        {phase && ` (${phase[0]})`}
        {call === memory.peak && <span class="badge">peak</span>}
        <br />
        <code>{memory.ops[memory.op[call]]}</code> in{" "}
        <LayerLink model={model} row={memory.layer[call]} onSelect={onSelect} />
      </p>
      <table class="plain" aria-label="What is alive there, the largest first">
        <thead>
          <tr>
            <th scope="col">Layer that made it</th>
            <th scope="col">Tensor</th>
            <th scope="col">Role</th>
            <th scope="col" class="number">
              Size
            </th>
          </tr>
        </thead>
        <tbody>
          {listed.map(({ storage, bytes: size, layer }) => (
            <tr key={storage}>
              <td>{layer === null ? "there before" : <LayerLink model={model} row={layer} onSelect={onSelect} />}</td>
              <td class="nowrap">{memory.tensors[memory.storages[storage][4]]}</td>
              <td>{memory.roles[memory.storages[storage][1]]}</td>
              <td class="number" data-value={size}>
                {bytes(size)}
              </td>
            </tr>
          ))}
          <Rest text={`${exact(alive.length - listed.length)} more`} size={rest} />
          <Rest text="inside the operator" size={unlisted} />
        </tbody>
      </table>
    </div>
  );
}

function Rest({ text, size }: { text: string; size: number }): JSX.Element | null {
  return size > 0 ? (
    <tr class="muted">
      <td colSpan={3}>{text}</td>
      <td class="number">{bytes(size)}</td>
    </tr>
  ) : null;
}

function LayerLink({
  model,
  row,
  onSelect,
}: {
  model: Model;
  row: number;
  onSelect: (row: number) => void;
}): JSX.Element {
  return (
    <button type="button" class="link" onClick={() => onSelect(row)}>
      <Name text={model.paths[row] || model.label} />
    </button>
  );
}

// The drawing ----------------------------------------------------------------------------------------------------------

function optionOf(memory: Timeline, theme: Theme): Option {
  const points = thinned(memory.live, POINTS);
  const largest = Math.max(...points.map(([, size]) => size));
  return {
    grid: { left: LEFT, right: RIGHT, top: 28, bottom: 40, outerBoundsMode: "none" },
    xAxis: {
      ...axis(theme, "operator call", (call) => exact(call + 1)),
      type: "value",
      min: 0,
      max: Math.max(1, memory.live.length - 1),
      nameGap: 26,
      splitLine: { show: false },
    },
    yAxis: {
      ...axis(theme, "", largest < SMALL ? (size) => `${exact(size)} B` : bytes),
      type: "value",
      ...byteSteps(largest),
    },
    series: [
      {
        type: "line",
        data: points,
        symbol: "none",
        step: memory.live.length <= 300 ? "middle" : false,
        lineStyle: { color: theme.accent, width: 1.5 },
        areaStyle: { color: theme.accent, opacity: 0.18 },
        emphasis: { disabled: true },
        silent: true,
        markPoint: peakMark(memory, theme),
        markArea: phaseMarks(memory, theme),
      },
    ],
  };
}

function peakMark(memory: Timeline, theme: Theme): object | undefined {
  if (memory.peak === null) return undefined;
  const size = memory.live[memory.peak];
  const isRight = memory.peak > memory.live.length / 2;
  return {
    silent: true,
    symbol: "circle",
    symbolSize: 9,
    itemStyle: { color: theme.peak },
    label: {
      show: true,
      position: "top",
      offset: [isRight ? -44 : 44, 2],
      formatter: `peak ${bytes(size)}`,
      color: theme.peak,
      fontWeight: 600,
    },
    data: [{ coord: [memory.peak, size] }],
  };
}

function phaseMarks(memory: Timeline, theme: Theme): object | undefined {
  if (!memory.phases.length) return undefined;
  return {
    silent: true,
    label: { show: false },
    data: memory.phases.map(([, first, last], index) => [
      { xAxis: first, itemStyle: { color: theme.text, opacity: index % 2 ? 0.07 : 0.02 } },
      { xAxis: last },
    ]),
  };
}
