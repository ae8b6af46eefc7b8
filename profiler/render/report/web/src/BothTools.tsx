/** What can be done with the table of two models? Search, choose the figure, see the changes alone, unfold. */
import type { JSX } from "preact";
import type { Measure } from "./data";
import { exact } from "./format";
import { Search, Unfold } from "./TableTools";

interface Props {
  measures: Measure[];
  measure: number;
  query: string;
  found: number;
  count: number;
  onlyChanged: boolean;
  onMeasure: (measure: number) => void;
  onQuery: (query: string) => void;
  onOnlyChanged: (onlyChanged: boolean) => void;
  onUnfold: (all: boolean) => void;
}

export function BothTools(props: Props): JSX.Element {
  const { measures, found, count } = props;
  return (
    <div class="tools" role="group" aria-label="Table of both models">
      <Search
        query={props.query}
        found={found < count ? `${exact(found)} of ` : ""}
        count={count}
        onQuery={props.onQuery}
      />
      <label class="choice">
        Figure
        <select value={props.measure} onChange={(event) => props.onMeasure(Number(event.currentTarget.value))}>
          {measures.map(({ name, heading }, index) => (
            <option key={name} value={index}>
              {heading}
            </option>
          ))}
        </select>
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={props.onlyChanged}
          onChange={(event) => props.onOnlyChanged(event.currentTarget.checked)}
        />
        Only what changed
      </label>
      <Unfold onUnfold={props.onUnfold} />
    </div>
  );
}
