/** Which columns does a table show? A list of all of them, to be chosen from. */
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import type { Column } from "./data";
import { useLeft } from "./hooks";
import { toggled } from "./tree";

interface Props {
  columns: Column[];
  shown: ReadonlySet<string>;
  usual: Set<string>; // those that are shown at first
  onShown: (shown: Set<string>) => void;
}

export function ColumnMenu({ columns, shown, usual, onShown }: Props): JSX.Element {
  const menu = useRef<HTMLDetailsElement>(null);
  useLeft(menu, (byKey) => {
    if (!menu.current!.open) return;
    menu.current!.open = false;
    if (byKey) menu.current!.querySelector("summary")!.focus();
  });
  return (
    <details class="menu" ref={menu}>
      <summary>Columns</summary>
      <fieldset class="menu-box">
        <legend>Columns</legend>
        {columns.map(({ name, heading }) => (
          <label key={name} class="check">
            <input
              type="checkbox"
              value={name}
              checked={shown.has(name)}
              onChange={() => onShown(toggled(shown, name))}
            />
            {heading} <code>{name}</code>
          </label>
        ))}
        <button type="button" onClick={() => onShown(usual)}>
          As at first
        </button>
      </fieldset>
    </details>
  );
}
