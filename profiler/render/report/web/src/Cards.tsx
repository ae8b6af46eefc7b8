/** What does the whole model cost? A card for each total, with the formula it comes from. */
import type { JSX } from "preact";
import type { Total } from "./data";
import { alone, exact } from "./format";
import { Name } from "./Name";

export function Cards({ totals }: { totals: Total[] }): JSX.Element {
  return (
    <section aria-labelledby="totals-heading">
      <h2 id="totals-heading" class="unseen">
        Totals
      </h2>
      <dl class="cards">
        {totals.map((total) => (
          <Card key={total.name} total={total} />
        ))}
      </dl>
    </section>
  );
}

function Card({ total }: { total: Total }): JSX.Element {
  const { name, label, value, unit, formula, remark } = total;
  const text = alone(value, unit);
  const inFull = value !== null && /B$|^bytes$/.test(unit) ? `${exact(value)} bytes` : text;
  return (
    <div class="card" data-total={name} data-value={value ?? ""}>
      <dt>{label}</dt>
      <dd class="figure" title={inFull}>
        {text}
      </dd>
      {formula && <dd class="formula">{formula}</dd>}
      {remark && (
        <dd class="remark">
          <Name text={remark} className="wrap" />
        </dd>
      )}
    </div>
  );
}
