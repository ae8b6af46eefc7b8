/** In which colours is the page shown? Light or dark, as the reader's system has it unless the reader chooses. */
import { createContext } from "preact";
import { useContext, useLayoutEffect, useState } from "preact/hooks";
import { useMedia, usePrinting } from "./hooks";

export type Choice = "auto" | "light" | "dark";

export interface Theme {
  isDark: boolean;
  isPrinting: boolean;
  text: string;
  muted: string;
  line: string;
  surface: string;
  containers: [string, string]; // around layers that have others in them, at every other level
  accent: string;
  disc: string; // the accent, to be seen through
  peak: string;
}

/* Contrast of text and muted text to the surface: 4.5 at least. The same colours stand in styles/base.css. */
const LIGHT = {
  text: "#1c1e21",
  muted: "#5b6068",
  line: "#dcdfe3",
  surface: "#ffffff",
  containers: ["#e3e7ec", "#f2f4f7"] as [string, string],
  accent: "#2458a6",
  disc: "rgba(36, 88, 166, 0.45)",
  peak: "#b3261e",
};
const DARK = {
  text: "#e6e7e9",
  muted: "#a3a9b2",
  line: "#363b42",
  surface: "#1a1d21",
  containers: ["#3c434c", "#2a2f36"] as [string, string],
  accent: "#8ab4f0",
  disc: "rgba(138, 180, 240, 0.5)",
  peak: "#f2857c",
};

/* Paul Tol's "light" scheme (SRON/EPS/TN/09-002, 2021), which is made for cells with dark labels and is told apart by
   readers with any colour vision. https://personal.sron.nl/~pault/ */
const KINDS = ["#77AADD", "#EE8866", "#EEDD88", "#44BB99", "#FFAABB", "#99DDFF", "#BBCC33", "#AAAA00"];
const OTHER = "#DDDDDD";
export const ON_KIND = "#16181b"; // text on any of them
export const NAMED_KINDS = KINDS.length;

export type Colours = ReadonlyMap<string, string>;

export function coloursOf(kinds: readonly string[]): Colours {
  return new Map(kinds.slice(0, NAMED_KINDS).map((kind, index) => [kind, KINDS[index]]));
}

export function colourOf(colours: Colours, kind: string): string {
  return colours.get(kind) ?? OTHER;
}

const Context = createContext<Theme>({ isDark: false, isPrinting: false, ...LIGHT });
export const ThemeProvider = Context.Provider;

export function useTheme(): Theme {
  return useContext(Context);
}

/** The theme in force; what is printed is light. */
export function useChosenTheme(): [Theme, Choice, (choice: Choice) => void] {
  const [choice, setChoice] = useState<Choice>("auto");
  const prefersDark = useMedia("(prefers-color-scheme: dark)");
  const isPrinting = usePrinting();
  const isDark = !isPrinting && (choice === "dark" || (choice === "auto" && prefersDark));
  useLayoutEffect(() => {
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
  }, [isDark]);
  return [{ isDark, isPrinting, ...(isDark ? DARK : LIGHT) }, choice, setChoice];
}
