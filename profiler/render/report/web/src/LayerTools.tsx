/** What can be done with the table of layers? Search, unfold, leave the tree, choose columns. */
import type { JSX } from "preact";
import { ColumnMenu } from "./ColumnMenu";
import type { Model } from "./data";
import { shownAtFirst } from "./LayerTable";
import { Search, Unfold } from "./TableTools";

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
      <Search
        query={props.query}
        example=": conv, layer1.*"
        found={props.found}
        count={props.count}
        onQuery={props.onQuery}
      />
      <span class="spring" />
      <label class="check">
        <input type="checkbox" checked={props.isFlat} onChange={(event) => props.onFlat(event.currentTarget.checked)} />
        Flat list of layers
      </label>
      <Unfold disabled={props.isFlat} onUnfold={props.onUnfold} />
      <ColumnMenu
        columns={props.model.layers.columns.slice(1)}
        shown={props.shown}
        usual={shownAtFirst(props.model)}
        onShown={props.onShown}
      />
    </div>
  );
}
