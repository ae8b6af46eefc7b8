/** Where is most of it? A map of the layers, whose areas are the chosen figure and whose colours are their classes. */
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { type Area, areas, inside, sources } from "./areas";
import { Chart, FONT, type Option } from "./Chart";
import type { Measure, Model } from "./data";
import { format } from "./format";
import { counted, isolated, Name, short } from "./Name";
import { type Sums, sums } from "./sums";
import { type Colours, colourOf, ON_KIND, type Theme, useTheme } from "./theme";
import { ancestors, type Tree } from "./tree";

interface Props {
  model: Model;
  tree: Tree;
  measure: number;
  root: number;
  selected: number;
  colours: Colours;
  onMeasure: (measure: number) => void;
  onRoot: (root: number) => void;
  onSelect: (row: number) => void;
}

const HEIGHT = 420;

export function Treemap(props: Props): JSX.Element {
  const { model, tree, root, selected } = props;
  const theme = useTheme();
  const measure = model.measures[props.measure];
  const known = sums(measure, model.parents);
  const option = useMemo(
    () => optionOf(props, known, theme),
    [model, measure, root, selected, theme.isDark, props.colours],
  );
  const click = (area: Area): void => {
    props.onSelect(area.row);
    props.onRoot(inside(tree, root, area.row));
  };
  return (
    <section class="map" aria-labelledby="map-heading">
      <div class="section-head">
        <h2 id="map-heading">Map of the layers</h2>
        <MeasureChoice {...props} />
        <span class="spring" />
        <button type="button" disabled={selected === root} onClick={() => props.onRoot(zoomed(tree, selected))}>
          Zoom to selected layer
        </button>
      </div>
      <Breadcrumb {...props} />
      {known.total[root] > 0 ? (
        <Chart
          label={sentence(props, known)}
          height={HEIGHT}
          option={option}
          tip={({ data }) => <AreaTip area={(data as { area: Area }).area} props={props} known={known} />}
          onClick={({ data }) => click((data as { area: Area }).area)}
        />
      ) : (
        <p class="empty">{nothing(measure, known, root)}</p>
      )}
      <Legend {...props} known={known} />
    </section>
  );
}

/** A layer without layers in it is seen in the one that it stands in. */
function zoomed(tree: Tree, row: number): number {
  return tree.children[row].length ? row : tree.parents[row];
}

function nothing(measure: Measure, known: Sums, root: number): string {
  return known.unknown[root] ? `${measure.heading} are not known here.` : `There are no ${measure.heading} here.`;
}

function MeasureChoice({ model, measure, onMeasure }: Props): JSX.Element {
  return (
    <label class="choice">
      Area and bars
      <select value={measure} onChange={(event) => onMeasure(Number(event.currentTarget.value))}>
        {model.measures.map(({ name, heading }, index) => (
          <option key={name} value={index}>
            {heading}
          </option>
        ))}
      </select>
    </label>
  );
}

function Breadcrumb({ model, tree, root, onRoot }: Props): JSX.Element {
  return (
    <nav class="breadcrumb" aria-label="Layer that the map shows">
      <ol>
        {[...ancestors(tree, root), root].map((row) => (
          <li key={row}>
            <button
              type="button"
              class="link"
              aria-current={row === root ? "true" : undefined}
              onClick={() => onRoot(row)}
            >
              <Name text={title(model, row)} />
            </button>
          </li>
        ))}
      </ol>
    </nav>
  );
}

function title(model: Model, row: number): string {
  return row === 0 ? model.label : (model.paths[row].split(".").pop() ?? "");
}

// The drawing ----------------------------------------------------------------------------------------------------------

const MANY = 60; // layers, which have no room for names and for lines around each

function optionOf(props: Props, known: Sums, theme: Theme): Option {
  const node = (area: Area, depth: number, siblings: number): object => {
    const isSelected = area.row === props.selected && area.part === "layer";
    const line = area.children ? theme.containers[depth % 2] : theme.surface;
    const colour = area.children ? null : areaColour(props, known, area);
    return {
      name: areaTitle(props.model, area),
      value: area.value,
      area,
      itemStyle: {
        color: colour ?? theme.containers[0],
        borderColor: isSelected ? theme.peak : line,
        ...(siblings > MANY && !isSelected ? { borderWidth: 0 } : {}),
      },
      label: { color: colour === null ? theme.text : ON_KIND, show: siblings <= MANY || area.part === "rest" },
      upperLabel: { color: isSelected ? theme.surface : theme.text },
      children: area.children?.map((child) => node(child, depth + 1, area.children!.length)),
    };
  };
  const parts = areas(props.tree, known, props.root);
  const text = { show: true, fontFamily: FONT, fontSize: 12, overflow: "truncate", ellipsis: "…", position: [5, 4] };
  const level = { itemStyle: { borderWidth: 2, gapWidth: 1 } };
  return {
    series: [
      {
        type: "treemap",
        animation: false,
        data: parts.map((area) => node(area, 0, parts.length)),
        left: 0,
        right: 0,
        top: 0,
        bottom: 0,
        roam: false,
        nodeClick: false,
        breadcrumb: { show: false },
        label: { ...text, formatter: labelled(known) },
        upperLabel: {
          ...text,
          height: 20,
          position: [5, "50%"],
          verticalAlign: "middle",
          formatter: labelled(known),
        },
        emphasis: { upperLabel: { show: true } },
        levels: [
          { itemStyle: { borderWidth: 0, gapWidth: 3, borderColor: theme.surface }, upperLabel: { show: false } },
          ...Array<object>(8).fill(level),
        ],
      },
    ],
  };
}

/** Of more layers their class's, if they are of one; null if they are not. */
function areaColour({ model, tree, colours }: Props, known: Sums, area: Area): string | null {
  const kinds = new Set(sources(tree, known, area).map((row) => model.classes[row]));
  return kinds.size === 1 ? colourOf(colours, [...kinds][0]) : null;
}

function labelled(known: Sums): (params: { name: string; value: number }) => string {
  return ({ name, value }) => `${isolated(short(name))}  ${percent(value, known)}`;
}

function areaTitle(model: Model, area: Area): string {
  if (area.part === "rest") return counted(area.count, "more layer");
  return area.part === "itself" ? `(${title(model, area.row)} itself)` : title(model, area.row);
}

function AreaTip({ area, props, known }: { area: Area; props: Props; known: Sums }): JSX.Element {
  const measure = props.model.measures[props.measure];
  const name = area.part === "layer" ? props.model.paths[area.row] || props.model.label : areaTitle(props.model, area);
  return (
    <>
      <strong>
        <Name text={short(name, 80)} />
      </strong>
      {area.part !== "rest" && <Name text={short(props.model.classes[area.row], 60)} />}
      <span>
        {measure.heading} {format(area.value, measure.unit)}, {format(area.value / known.total[0], "share")} %
      </span>
    </>
  );
}

function sentence({ model, measure, root }: Props, known: Sums): string {
  const { heading } = model.measures[measure];
  const kinds = kindTotals(model, known)
    .slice(0, 3)
    .map(([kind, total]) => `${kind || NO_KIND} ${percent(total, known)}`);
  const part = root === 0 ? "" : `, of which layer ${model.paths[root]} has ${percent(known.total[root], known)}`;
  return `Map of the layers of ${model.label} by ${heading}: ${kinds.join(", ")}${part}. The table of layers has all of it.`;
}

function percent(value: number, known: Sums): string {
  return `${format(value / known.total[0], "share")} %`;
}

// The legend -----------------------------------------------------------------------------------------------------------

const NO_KIND = "class not known"; // of a file of weights

function kindTotals(model: Model, known: Sums): [string, number][] {
  const totals = new Map<string, number>();
  model.classes.forEach((kind, row) => {
    if (known.own[row]) totals.set(kind, (totals.get(kind) ?? 0) + known.own[row]);
  });
  return [...totals].sort((one, other) => other[1] - one[1]);
}

function Legend({ model, colours, measure, known }: Props & { known: Sums }): JSX.Element | null {
  const kinds = kindTotals(model, known);
  const named = kinds.filter(([kind]) => colours.has(kind));
  const others = kinds.filter(([kind]) => !colours.has(kind));
  const rest = others.reduce((sum, [, total]) => sum + total, 0);
  const unknown = known.unknown[0];
  if (!kinds.length && !unknown) return null;
  return (
    <ul class="legend" aria-label={`${model.measures[measure].heading} by class`}>
      {named.map(([kind, total]) => (
        <LegendItem key={kind} colour={colourOf(colours, kind)} text={kind || NO_KIND} share={percent(total, known)} />
      ))}
      {others.length > 0 && (
        <LegendItem
          colour={colourOf(colours, "")}
          text={counted(others.length, "other class").replace("classs", "classes")}
          share={percent(rest, known)}
        />
      )}
      {unknown > 0 && <li class="unknown">not known of {counted(unknown, "layer")}, which have no area</li>}
    </ul>
  );
}

function LegendItem({ colour, text, share }: { colour: string; text: string; share: string }): JSX.Element {
  return (
    <li>
      <span class="swatch" aria-hidden="true" style={{ background: colour }} />
      <Name text={text} />
      <span class="muted">{share}</span>
    </li>
  );
}
