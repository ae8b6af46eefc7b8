/** How was the model run, by which versions, and what do the words mean? */
import type { JSX } from "preact";
import type { Model, Note } from "./data";
import { counted } from "./Name";

export function About({ model }: { model: Model }): JSX.Element {
  return (
    <section class="about" aria-labelledby="about-heading">
      <h2 id="about-heading">How it was run</h2>
      <dl class="pairs">
        {model.about.map(([label, text]) => (
          <div key={label} data-about={label}>
            <dt>{label}</dt>
            <dd>
              <bdi>{text}</bdi>
            </dd>
          </div>
        ))}
        <div>
          <dt>Convention</dt>
          <dd>
            <strong>{model.convention.name}</strong>: {model.convention.says}
          </dd>
        </div>
      </dl>
      <Notes notes={model.notes} />
    </section>
  );
}

/** All but the cautions, which stand at the top. */
export function Notes({ notes }: { notes: Note[] }): JSX.Element {
  const plain = notes.filter((note) => note.kind === "note");
  const explanations = notes.filter((note) => note.kind === "explanation");
  return (
    <div class="notes">
      <Texts notes={plain} />
      {explanations.length > 0 && (
        <details>
          <summary>{counted(explanations.length, "explanation")}</summary>
          <Texts notes={explanations} />
        </details>
      )}
    </div>
  );
}

function Texts({ notes }: { notes: Note[] }): JSX.Element {
  return (
    <>
      {notes.map(({ text }) => (
        <p key={text}>
          <bdi>{text}</bdi>
        </p>
      ))}
    </>
  );
}
