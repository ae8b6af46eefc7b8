/** What can be done with any tree of layers? Search it, see how much was found, unfold it. */
import type { JSX } from "preact";
import { counted } from "./Name";

interface SearchProps {
  query: string;
  example?: string;
  found: string; // "12 of "
  count: number;
  onQuery: (query: string) => void;
}

export function Search({ query, example = "", found, count, onQuery }: SearchProps): JSX.Element {
  return (
    <>
      <input
        type="search"
        class="search"
        aria-label="Search layers by path or class"
        placeholder={`Search path or class${example}`}
        value={query}
        onInput={(event) => onQuery(event.currentTarget.value)}
      />
      <output class="found" aria-live="polite">
        {found}
        {counted(count, "layer")}
      </output>
    </>
  );
}

interface UnfoldProps {
  disabled?: boolean;
  onUnfold: (all: boolean) => void;
}

export function Unfold({ disabled, onUnfold }: UnfoldProps): JSX.Element {
  return (
    <>
      <button type="button" disabled={disabled} onClick={() => onUnfold(true)}>
        Expand all
      </button>
      <button type="button" disabled={disabled} onClick={() => onUnfold(false)}>
        Collapse all
      </button>
    </>
  );
}
