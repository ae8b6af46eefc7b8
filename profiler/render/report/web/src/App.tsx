/** Which page of the report is shown? The comparison or the changes, or one of the models. */
import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { ComparisonPage } from "./ComparisonPage";
import type { Report } from "./data";
import { DiffPage } from "./DiffPage";
import { useHash, useMore } from "./hooks";
import { ModelPage } from "./ModelPage";
import { Name } from "./Name";
import { type Choice, ThemeProvider, useChosenTheme } from "./theme";

export function App({ report }: { report: Report }): JSX.Element {
  const [theme, choice, setChoice] = useChosenTheme();
  const page = pageOf(report, useHash());
  const value = useMemo(() => theme, [theme.isDark, theme.isPrinting]);
  useEffect(() => scrollTo(0, 0), [page]);
  const model = page === null ? null : report.models[page];
  return (
    <ThemeProvider value={value}>
      <header class="masthead">
        <div>
          <p class="muted tool">{report.tool}</p>
          <h1>
            <bdi>{model ? model.label : report.title}</bdi>
          </h1>
          {model && model.model !== model.label && (
            <p class="muted">
              <Name text={model.model} className="wrap" />
            </p>
          )}
        </div>
        <ThemeChoice choice={choice} onChoose={setChoice} />
      </header>
      {report.kind !== "model" && <Pages report={report} page={page} />}
      {model ? (
        <ModelPage key={page} model={model} />
      ) : report.kind === "diff" ? (
        <DiffPage report={report} />
      ) : (
        <ComparisonPage report={report} />
      )}
    </ThemeProvider>
  );
}

/** The index of a model; null: the page of all. */
function pageOf(report: Report, hash: URLSearchParams): number | null {
  const wanted = Number(hash.get("model") ?? "none");
  if (Number.isInteger(wanted) && wanted >= 0 && wanted < report.models.length) return wanted;
  return report.kind === "model" ? 0 : null;
}

function Pages({ report, page }: { report: Report; page: number | null }): JSX.Element {
  const place = useMore();
  const words = report.kind === "diff" ? ["Before: ", "After: "] : [];
  return (
    <nav class="pages" ref={place} aria-label="Pages">
      <a href="#" aria-current={page === null ? "page" : undefined}>
        {report.kind === "diff" ? "Changes" : "Comparison"}
      </a>
      {numbered(report.models.map(({ label }) => label)).map((label, index) => (
        <a key={index} href={`#model=${index}`} aria-current={page === index ? "page" : undefined}>
          {words[index]}
          <Name text={label} />
        </a>
      ))}
    </nav>
  );
}

/** The second of one name is "name (2)". */
function numbered(names: string[]): string[] {
  return names.map((name, place) => {
    const before = names.slice(0, place).filter((other) => other === name).length;
    return before ? `${name} (${before + 1})` : name;
  });
}

function ThemeChoice({ choice, onChoose }: { choice: Choice; onChoose: (choice: Choice) => void }): JSX.Element {
  return (
    <label class="choice theme">
      Theme
      <select value={choice} onChange={(event) => onChoose(event.currentTarget.value as Choice)}>
        <option value="auto">Auto</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  );
}
