/** What does one model cost? Its totals, its layers as a map and as a table, its memory and its roofline. */
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { About } from "./About";
import { Cards } from "./Cards";
import type { Model } from "./data";
import { useMedia } from "./hooks";
import { LayerPanel } from "./LayerPanel";
import { LayerTable } from "./LayerTable";
import { Memory } from "./Memory";
import { Notices } from "./Notices";
import { Roofline } from "./Roofline";
import { firstMeasure, kindsBySize } from "./sums";
import { coloursOf, useTheme } from "./theme";
import { Treemap } from "./Treemap";
import { treeOf } from "./tree";

export function ModelPage({ model }: { model: Model }): JSX.Element {
  const tree = useMemo(() => treeOf(model.parents), [model]);
  const colours = useMemo(() => coloursOf(kindsBySize(model)), [model]);
  const [measure, setMeasure] = useState(() => firstMeasure(model.measures));
  const [root, setRoot] = useState(0);
  const [selected, setSelected] = useState(0);
  const [target, setTarget] = useState<{ row: number } | null>(null);
  const [isOpen, setOpen] = useState(false); // the panel, where it lies over the page
  const isWide = useMedia("(min-width: 1100px)");
  const select = (row: number): void => {
    setSelected(row);
    setOpen(true);
  };
  const show = (row: number): void => {
    select(row);
    setTarget({ row });
  };
  const common = { model, tree, selected, colours };
  return (
    <>
      <Notices model={model} />
      <Cards totals={model.totals} />
      <div class="beside">
        <div class="main-column">
          {model.measures.length > 0 && (
            <Treemap
              {...common}
              measure={measure}
              root={root}
              onMeasure={setMeasure}
              onRoot={setRoot}
              onSelect={show}
            />
          )}
          <LayerTable {...common} measure={measure} target={target} onSelect={select} />
        </div>
        {(isWide || isOpen) && (
          <Sheet isOver={!isWide} onClose={() => setOpen(false)}>
            {(close) => (
              <LayerPanel
                model={model}
                row={selected}
                onSelect={show}
                onShow={(row) => {
                  close?.();
                  show(row);
                }}
                onClose={close}
              />
            )}
          </Sheet>
        )}
      </div>
      {model.memory && <Memory model={model} memory={model.memory} onSelect={show} />}
      {model.roofline && <Roofline {...common} roofline={model.roofline} onSelect={show} />}
      <About model={model} />
    </>
  );
}

interface SheetProps {
  isOver: boolean; // it lies over the page, and can be closed
  onClose: () => void;
  children: (close: (() => void) | undefined) => JSX.Element;
}

/** The place of the panel: beside the table, or over the page on a narrow screen. */
function Sheet({ isOver, onClose, children }: SheetProps): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const before = useRef<Element | null>(null);
  const { isPrinting } = useTheme();
  useEffect(() => {
    if (!isOver) return;
    before.current = document.activeElement;
    place.current?.querySelector("h2")?.focus({ preventScroll: true });
  }, [isOver]);
  const close = (): void => {
    onClose();
    if (before.current instanceof HTMLElement) before.current.focus({ preventScroll: true });
  };
  const onKey = (event: KeyboardEvent): void => {
    if (isOver && event.key === "Escape") close();
  };
  return (
    <div class={isOver && !isPrinting ? "sheet" : "side"} ref={place} onKeyDown={onKey}>
      {children(isOver ? close : undefined)}
    </div>
  );
}
