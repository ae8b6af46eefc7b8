/** What is known of one layer? Its counts as formulas with numbers, its tensors, its settings, and who counts what. */
import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import type { Detail, Model, Value } from "./data";
import { format } from "./format";
import { Name } from "./Name";

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

function Part({ title, show, children }: { title: string; show: boolean; children: ComponentChildren }): JSX.Element | null {
  return show ? (
    <section>
      <h3>{title}</h3>
      {children}
    </section>
  ) : null;
}

function Counts({ detail }: { detail: Detail }): JSX.Element {
  return (
    <section>
      <h3>Counts</h3>
      {detail.formulas.length ? (
        <ul class="formulas">
          {detail.formulas.map((formula, index) => (
            <li key={index}>{formula}</li>
          ))}
        </ul>
      ) : (
        <p class="muted">It costs nothing itself.</p>
      )}
    </section>
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
      <div class="wide" tabIndex={0} role="region" aria-label="Weights">
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
