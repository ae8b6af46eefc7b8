/** What can be done with the table of layers? Search, unfold, leave the tree, choose columns. */
import type { JSX } from "preact";
import { ColumnMenu } from "./ColumnMenu";
import type { Model } from "./data";
import { shownAtFirst } from "./LayerTable";
import { counted } from "./Name";

interface Props {
  model: Model;
  query: string;
  found: string; // "12 of "
  count: number;
  isFlat: boolean;
  shown: ReadonlySet<string>;
  onQuery: (query: string) => void;
  onFlat: (isFlat: boolean) => void;
  onShown: (shown: Set<string>) => void;
  onUnfold: (all: boolean) => void;
}

export function LayerTools(props: Props): JSX.Element {
  return (
    <div class="tools" role="group" aria-label="Table of layers">
      <input
        type="search"
        class="search"
        aria-label="Search layers by path or class"
        placeholder="Search path or class: conv, layer1.*"
        value={props.query}
        onInput={(event) => props.onQuery(event.currentTarget.value)}
      />
      <output class="found" aria-live="polite">
        {props.found}
        {counted(props.count, "layer")}
      </output>
      <span class="spring" />
      <label class="check">
        <input type="checkbox" checked={props.isFlat} onChange={(event) => props.onFlat(event.currentTarget.checked)} />
        Flat list of layers
      </label>
      <button type="button" disabled={props.isFlat} onClick={() => props.onUnfold(true)}>
        Expand all
      </button>
      <button type="button" disabled={props.isFlat} onClick={() => props.onUnfold(false)}>
        Collapse all
      </button>
      <ColumnMenu
        columns={props.model.layers.columns.slice(1)}
        shown={props.shown}
        usual={shownAtFirst(props.model)}
        onShown={props.onShown}
      />
    </div>
  );
}
