/** What is known of one layer? Its counts as formulas with numbers, its tensors, its settings, and who counts what. */
import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import type { Detail, Measure, Model, Value } from "./data";
import { alone, format } from "./format";
import { Name } from "./Name";
import { share, type Sums, sums } from "./sums";

const LISTED = 12; // formulas

interface Props {
  model: Model;
  row: number;
  onSelect: (row: number) => void;
  onShow: (row: number) => void; // in the table
  onClose?: () => void; // where it lies over the page
}

export function LayerPanel(props: Props): JSX.Element {
  const { model, row } = props;
  const detail = model.details[model.detail[row]];
  return (
    <aside class="panel" aria-label={`Layer ${model.paths[row] || model.label}`} data-panel={model.paths[row]}>
      <PanelHead {...props} />
      <Figures {...props} />
      <Counts detail={detail} />
      <Part title="Inputs and outputs" show={detail.inputs.length + detail.outputs.length > 0}>
        <Tensors label="in" texts={detail.inputs} />
        <Tensors label="out" texts={detail.outputs} />
      </Part>
      <Weights detail={detail} />
      <Part title="Settings" show={detail.settings.length > 0}>
        <dl class="pairs tight">
          {detail.settings.map(([name, value]) => (
            <div key={name}>
              <dt>
                <bdi>{name}</bdi>
              </dt>
              <dd>
                <bdi>{value}</bdi>
              </dd>
            </div>
          ))}
        </dl>
      </Part>
      <Conventions {...props} />
      <AllFigures {...props} />
    </aside>
  );
}

function PanelHead({ model, row, onSelect, onShow, onClose }: Props): JSX.Element {
  const path = model.paths[row];
  const shared = model.shared[row];
  return (
    <header>
      <div class="panel-title">
        <h2 tabIndex={-1}>
          <bdi>{path || model.label}</bdi>
        </h2>
        {onClose && (
          <button type="button" class="close" aria-label="Close" onClick={onClose}>
            ×
          </button>
        )}
      </div>
      <p class="muted">
        <Name text={model.classes[row]} className="wrap" />
        {shared !== undefined && (
          <>
            , the same module as{" "}
            <button type="button" class="link" onClick={() => onSelect(model.paths.indexOf(shared))}>
              <Name text={shared || model.label} />
            </button>
          </>
        )}
      </p>
      <p class="panel-tools">
        {path && <Copy text={path} />}
        {row !== 0 && (
          <button type="button" onClick={() => onSelect(model.parents[row])}>
            Parent
          </button>
        )}
        <button type="button" onClick={() => onShow(row)}>
          Show in the table
        </button>
      </p>
    </header>
  );
}

function Copy({ text }: { text: string }): JSX.Element {
  const [said, say] = useState("");
  const copy = (): void => {
    void copied(text).then((isCopied) => {
      say(isCopied ? "Copied" : "Not copied");
      setTimeout(() => say(""), 1500);
    });
  };
  return (
    <button type="button" onClick={copy} data-copy={text}>
      <span aria-live="polite">{said || "Copy path"}</span>
    </button>
  );
}

/** A page that was opened as a file may have no clipboard: then by way of a selection. */
async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- there is no other way without a secure context
    const isCopied = document.execCommand("copy");
    field.remove();
    return isCopied;
  }
}

function Part({
  title,
  show,
  children,
}: {
  title: string;
  show: boolean;
  children: ComponentChildren;
}): JSX.Element | null {
  return show ? (
    <section>
      <h3>{title}</h3>
      {children}
    </section>
  ) : null;
}

/** What the page's map and bars are about. */
function Figures({ model, row }: Props): JSX.Element {
  return (
    <table class="plain figures" aria-label="Figures">
      <thead>
        <tr>
          <th scope="col">
            <span class="unseen">Figure</span>
          </th>
          <th scope="col" class="number">
            Itself
          </th>
          <th scope="col" class="number">
            With all in it
          </th>
          <th scope="col" class="number">
            %
          </th>
        </tr>
      </thead>
      <tbody>
        {model.measures.map((measure) => (
          <Figure key={measure.name} measure={measure} known={sums(measure, model.parents)} row={row} />
        ))}
      </tbody>
    </table>
  );
}

function Figure({ measure, known, row }: { measure: Measure; known: Sums; row: number }): JSX.Element {
  const { name, heading, unit, own } = measure;
  const part = share(known, row);
  const total = known.unknown[row] && !known.total[row] ? null : known.total[row];
  return (
    <tr data-measure={name}>
      <th scope="row">{heading}</th>
      <td class="number" data-value={own[row] ?? ""}>
        {alone(own[row], unit)}
      </td>
      <td class="number" data-value={total ?? ""}>
        {alone(total, unit)}
      </td>
      <td class="number" data-value={part ?? ""}>
        {part === null ? "" : format(part, "share")}
      </td>
    </tr>
  );
}

function Counts({ detail }: { detail: Detail }): JSX.Element {
  return (
    <section>
      <h3>Counts</h3>
      {detail.formulas.length ? <Formulas formulas={detail.formulas} /> : <p class="muted">It costs nothing itself.</p>}
    </section>
  );
}

function Formulas({ formulas }: { formulas: string[] }): JSX.Element {
  const list = (some: string[]): JSX.Element => (
    <ul class="formulas">
      {some.map((formula, index) => (
        <li key={index}>{formula}</li>
      ))}
    </ul>
  );
  const rest = formulas.slice(LISTED);
  return (
    <>
      {list(formulas.slice(0, LISTED))}
      {rest.length > 0 && (
        <details>
          <summary>{rest.length} more</summary>
          {list(rest)}
        </details>
      )}
    </>
  );
}

function Tensors({ label, texts }: { label: string; texts: string[] }): JSX.Element {
  return (
    <p class="tensors">
      <span class="muted">{label}</span>
      {texts.map((text, index) => (
        <code key={index}>{text}</code>
      ))}
    </p>
  );
}

function Weights({ detail }: { detail: Detail }): JSX.Element {
  return (
    <Part title="Weights" show={detail.weights.length > 0}>
      <div class="wide" tabIndex={0} role="group" aria-label="Weights">
        <table class="plain" aria-label="Weights">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Shape</th>
              <th scope="col">Dtype</th>
              <th scope="col" class="number">
                Parameters
              </th>
            </tr>
          </thead>
          <tbody>
            {detail.weights.map(([name, shape, dtype, count]) => (
              <tr key={name}>
                <td>
                  <Name text={name} />
                </td>
                <td class="nowrap">{shape}</td>
                <td>{dtype}</td>
                <td class="number" data-value={count}>
                  {format(count, "exact")}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Part>
  );
}

function Conventions({ model, row }: Props): JSX.Element {
  return (
    <Part title="Which convention counts what" show={model.conventions.length > 0}>
      <table class="plain" aria-label="What each convention counts of this layer">
        <tbody>
          {model.conventions.map(({ name, says, total }) => (
            <tr key={name} data-convention={name}>
              <th scope="row">
                {name}
                <div class="muted says">{says}</div>
              </th>
              <td class="number" data-value={total[row] ?? ""}>
                {format(total[row], "exact")}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Part>
  );
}

function AllFigures({ model, row }: Props): JSX.Element {
  const { columns } = model.layers;
  return (
    <details>
      <summary>All columns</summary>
      <dl class="pairs tight">
        {columns.map(({ name, heading, unit, values }) => (
          <div key={name}>
            <dt>{heading}</dt>
            <dd data-figure={name} data-value={shownValue(values[row])}>
              <bdi>{format(values[row], unit)}</bdi>
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

function shownValue(value: Value): number | string {
  return value ?? "";
}
