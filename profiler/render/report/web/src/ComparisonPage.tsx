/** How do several models compare? A table, two columns against each other, and one column as bars. */
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { Notes } from "./About";
import { ColumnMenu } from "./ColumnMenu";
import { axis, byteSteps, Chart, FONT, type Option } from "./Chart";
import type { Column, Comparison, Report } from "./data";
import { format, number } from "./format";
import { DataTable } from "./DataTable";
import { counted, Name, short } from "./Name";
import { Cautions } from "./Notices";
import { comparison, isText } from "./sort";
import { type Theme, useTheme } from "./theme";

const BUBBLE = "params";

export function ComparisonPage({ report }: { report: Report }): JSX.Element {
  const compared = report.comparison!;
  const { table } = compared;
  const [shown, setShown] = useState<ReadonlySet<string>>(() => new Set(compared.shown));
  const cautions = table.notes.filter((note) => note.kind === "caution");
  const names = table.columns[0].values.map(String);
  const numeric = table.columns.filter(isDrawn);
  return (
    <>
      {cautions.length > 0 && (
        <section class="caution" aria-label="What keeps figures from being compared">
          <Cautions notes={cautions} />
        </section>
      )}
      <section aria-labelledby="models-heading">
        <div class="section-head">
          <h2 id="models-heading">{counted(names.length, "model")}</h2>
          <span class="spring" />
          <ColumnMenu
            columns={table.columns.slice(1)}
            shown={shown}
            usual={new Set(compared.shown)}
            onShown={setShown}
          />
        </div>
        <DataTable
          label="Models"
          table={table}
          shown={shown}
          first={(row, text) => <ModelLink comparison={compared} row={row} text={text} />}
        />
      </section>
      {numeric.length > 0 && <ScatterPart columns={numeric} names={names} />}
      {numeric.length > 0 && <BarsPart columns={numeric} names={names} />}
      <Notes notes={table.notes} />
    </>
  );
}

function ModelLink({
  comparison: { models },
  row,
  text,
}: {
  comparison: Comparison;
  row: number;
  text: string;
}): JSX.Element {
  return models[row] === null ? (
    <Name text={text} />
  ) : (
    <a href={`#model=${models[row]}`}>
      <Name text={text} />
    </a>
  );
}

function isDrawn({ unit, values }: Column): boolean {
  return !isText(unit) && unit !== "bar" && values.some((value) => number(value) !== null);
}

// Two columns ----------------------------------------------------------------------------------------------------------

interface PartProps {
  columns: Column[];
  names: string[];
}

interface Axes {
  x: Column;
  y: Column;
  size: Column | undefined;
  logX: boolean;
  logY: boolean;
}

function ScatterPart({ columns, names }: PartProps): JSX.Element {
  const theme = useTheme();
  const [x, setX] = useState(preferred(columns, ["time", "macs", "flops", "params"]));
  const metrics = columns.filter(({ unit }) => unit === "number").map(({ name }) => name);
  const [y, setY] = useState(preferred(columns, [...metrics, "activations", "peak", "params"], x));
  const [logX, setLogX] = useState(false);
  const [logY, setLogY] = useState(false);
  const axes = { x: columns[x], y: columns[y], size: columns.find(({ name }) => name === BUBBLE), logX, logY };
  const rows = useMemo(() => drawnRows(axes, names.length), [x, y, logX, logY, columns]);
  const option = useMemo(() => scatter(axes, rows, names, theme), [rows, theme.isDark]);
  const missing = names.length - rows.length;
  return (
    <section aria-labelledby="scatter-heading">
      <div class="section-head">
        <h2 id="scatter-heading">Two figures</h2>
        <span class="axis-choice">
          <ColumnChoice label="Across" columns={columns} chosen={x} onChoose={setX} />
          <Check label="log" about="across" value={logX} onChange={setLogX} />
        </span>
        <span class="axis-choice">
          <ColumnChoice label="Up" columns={columns} chosen={y} onChoose={setY} />
          <Check label="log" about="up" value={logY} onChange={setLogY} />
        </span>
      </div>
      <Chart
        label={`${rows.length} models by ${axes.x.heading} and ${axes.y.heading}; the table of models has the values.`}
        height={420}
        option={option}
        tip={({ index }) => <ModelTip axes={axes} row={rows[index]} name={names[rows[index]]} />}
      />
      <p class="muted">
        {axes.size && `A disc's area is the model's ${axes.size.heading}. `}
        {missing > 0 && `Without these figures, and not shown: ${counted(missing, "model")}.`}
      </p>
    </section>
  );
}

function preferred(columns: Column[], wanted: string[], taken = -1): number {
  const places = wanted.map((name) => columns.findIndex((column) => column.name === name));
  return places.find((place) => place >= 0 && place !== taken) ?? Math.min(columns.length - 1, taken + 1);
}

function drawnRows({ x, y, logX, logY }: Axes, count: number): number[] {
  const fits = (column: Column, row: number, isLog: boolean): boolean => {
    const value = number(column.values[row]);
    return value !== null && (!isLog || value > 0);
  };
  return Array.from({ length: count }, (_, row) => row).filter((row) => fits(x, row, logX) && fits(y, row, logY));
}

/** Large discs first, so that small ones lie on them. */
function scatter({ x, y, size, logX, logY }: Axes, rows: number[], names: string[], theme: Theme): Option {
  const most = Math.max(1, ...(size?.values ?? []).map((value) => number(value) ?? 0));
  const scale = (column: Column, isLog: boolean): object => ({
    ...axis(theme, column.heading, (value) => brief(value, column)),
    ...(isLog ? { type: "log" } : { type: "value", ...steps(column) }),
  });
  return {
    grid: { left: 84, right: 40, top: 24, bottom: 48, outerBoundsMode: "none" },
    xAxis: { ...scale(x, logX), nameGap: 30 },
    yAxis: { ...scale(y, logY), nameGap: 66 },
    series: [
      {
        type: "scatter",
        data: rows.map((row) => ({
          value: [number(x.values[row]), number(y.values[row])],
          symbolSize: size ? Math.max(8, 52 * Math.sqrt((number(size.values[row]) ?? 0) / most)) : 12,
          label: { formatter: () => short(names[row], 28), position: isRight(x, row) ? "left" : "right" },
        })),
        itemStyle: { color: theme.disc, borderColor: theme.accent },
        label: { show: true, color: theme.text, fontFamily: FONT, fontSize: 12 },
        labelLayout: { hideOverlap: true, moveOverlap: "shiftY" },
      },
    ],
  };
}

/** Whether a label has more room on the left. */
function isRight({ values }: Column, row: number): boolean {
  return number(values[row])! > 0.6 * Math.max(...values.map((value) => number(value) ?? 0));
}

function steps({ unit, values }: Column): object {
  const most = Math.max(...values.map((value) => number(value) ?? 0));
  return /B$|^bytes$/.test(unit) && most > 0 ? byteSteps(most) : {};
}

/** On an axis: without the decimals that are all 0. */
function brief(value: number, { unit }: Column): string {
  const isCount = unit === "exact" || unit === "count" || unit === "difference";
  return format(value, isCount ? "amount" : unit)
    .replace(/(\.\d*?)0+(?=\D|$)/, "$1")
    .replace(/\.(?=\D|$)/, "");
}

function ModelTip({ axes, row, name }: { axes: Axes; row: number; name: string }): JSX.Element {
  const shown = [axes.x, axes.y, axes.size].filter(
    (column, place, all) => column && all.indexOf(column) === place,
  ) as Column[];
  return (
    <>
      <strong>
        <Name text={short(name, 80)} />
      </strong>
      {shown.map((column) => (
        <span key={column.name}>
          {column.heading} {format(column.values[row], column.unit)}
        </span>
      ))}
    </>
  );
}

// One column -----------------------------------------------------------------------------------------------------------

const BARS = 60;

function BarsPart({ columns, names }: PartProps): JSX.Element {
  const theme = useTheme();
  const [chosen, choose] = useState(preferred(columns, ["params", "macs", "flops"]));
  const column = columns[chosen];
  const rows = useMemo(
    () =>
      names
        .map((_, row) => row)
        .filter((row) => number(column.values[row]) !== null)
        .sort(comparison(column.values, column.unit, true))
        .slice(0, BARS),
    [column, names],
  );
  const option = useMemo(() => bars(column, rows, names, theme), [column, rows, theme.isDark]);
  return (
    <section aria-labelledby="bars-heading">
      <div class="section-head">
        <h2 id="bars-heading">One figure</h2>
        <ColumnChoice label="Bars" columns={columns} chosen={chosen} onChoose={choose} />
      </div>
      <Chart
        label={`Models by ${column.heading}: ${rows
          .slice(0, 5)
          .map((row) => `${short(names[row])} ${format(column.values[row], column.unit)}`)
          .join(", ")}.`}
        height={40 + 30 * rows.length}
        option={option}
      />
      {names.length > rows.length && <p class="muted">Not shown: {counted(names.length - rows.length, "model")}.</p>}
    </section>
  );
}

function bars(column: Column, rows: number[], names: string[], theme: Theme): Option {
  return {
    grid: { left: 8, right: 96, top: 8, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    xAxis: { ...axis(theme, "", (value) => brief(value, column)), type: "value", show: false },
    yAxis: {
      ...axis(theme, "", () => ""),
      type: "category",
      inverse: true,
      data: rows.map(String),
      axisTick: { show: false },
      axisLabel: {
        color: theme.text,
        fontFamily: FONT,
        fontSize: 12,
        interval: 0,
        width: 170,
        overflow: "truncate",
        formatter: (row: string) => short(names[Number(row)], 60),
      },
    },
    series: [
      {
        type: "bar",
        data: rows.map((row) => number(column.values[row])),
        barMaxWidth: 18,
        itemStyle: { color: theme.accent, borderRadius: 2 },
        emphasis: { disabled: true },
        label: {
          show: true,
          position: "right",
          color: theme.text,
          fontFamily: FONT,
          fontSize: 12,
          formatter: ({ dataIndex }: { dataIndex: number }) => format(column.values[rows[dataIndex]], column.unit),
        },
      },
    ],
  };
}

interface ChoiceProps {
  label: string;
  columns: Column[];
  chosen: number;
  onChoose: (column: number) => void;
}

function ColumnChoice({ label, columns, chosen, onChoose }: ChoiceProps): JSX.Element {
  return (
    <label class="choice">
      {label}
      <select value={chosen} onChange={(event) => onChoose(Number(event.currentTarget.value))}>
        {columns.map(({ name, heading }, index) => (
          <option key={name} value={index}>
            {heading}
          </option>
        ))}
      </select>
    </label>
  );
}

function Check({
  label,
  about,
  value,
  onChange,
}: {
  label: string;
  about: string;
  value: boolean;
  onChange: (value: boolean) => void;
}): JSX.Element {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={value}
        onChange={(event) => onChange(event.currentTarget.checked)}
        aria-label={`Logarithmic ${about}`}
      />
      {label}
    </label>
  );
}
