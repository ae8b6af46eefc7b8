/** How is a text shown that others wrote? As it is, in a direction of its own, cut where there is no room. */
import type { JSX } from "preact";

export function Name({ text, className = "" }: { text: string; className?: string }): JSX.Element {
  return (
    <bdi class={`cut ${className}`} title={text}>
      {visible(text)}
    </bdi>
  );
}

/** For a canvas, which cuts nothing by itself. */
export function short(text: string, most = 40): string {
  const characters = Array.from(text.slice(0, 4 * most));
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : visible(text);
}

/** A name of spaces alone has a sign for each. */
function visible(text: string): string {
  return /\S/.test(text) ? text : text.replace(/\s/g, "␣");
}

/** For a text with more in it: the name keeps its direction to itself. */
export function isolated(name: string): string {
  return `\u2068${name}\u2069`;
}

/** "12 layers", "1 layer". */
export function counted(count: number, thing: string): string {
  return `${count.toLocaleString("en")} ${thing}${count === 1 ? "" : "s"}`;
}
