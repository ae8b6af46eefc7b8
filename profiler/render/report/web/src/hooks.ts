/** What does a component need to know of the browser? Whether it prints, how wide it is, what is seen and what is left. */
import { options } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

/** Whether the page is being printed. It is rendered for that at once, before the browser goes on. */
export function usePrinting(): boolean {
  const [printing, setPrinting] = useState(false);
  useEffect(() => {
    const media = matchMedia("print");
    const start = () => atOnce(() => setPrinting(true));
    const end = () => setPrinting(false);
    const change = () => (media.matches ? start() : end());
    addEventListener("beforeprint", start);
    addEventListener("afterprint", end);
    media.addEventListener("change", change);
    return () => {
      removeEventListener("beforeprint", start);
      removeEventListener("afterprint", end);
      media.removeEventListener("change", change);
    };
  }, []);
  return printing;
}

/** Render what an update changes, and what that changes, before this returns. */
function atOnce(update: () => void): void {
  const before = options.debounceRendering?.bind(options);
  let render: (() => void) | null = null;
  options.debounceRendering = (process) => (render = process);
  update();
  for (let next = taken(); next; next = taken()) next();
  options.debounceRendering = before;

  function taken(): (() => void) | null {
    const next = render;
    render = null;
    return next;
  }
}

export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const change = () => setMatches(media.matches);
    change();
    media.addEventListener("change", change);
    return () => media.removeEventListener("change", change);
  }, [query]);
  return matches;
}

/** Whether an element has been near the screen, once. */
export function useSeen(element: { current: HTMLElement | null }): boolean {
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (seen || !element.current) return;
    const observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && setSeen(true),
      { rootMargin: "300px" },
    );
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [seen]);
  return seen;
}

/** What is done once something else is pressed or has the focus, or by the key Escape. */
export function useLeft(element: { current: HTMLElement | null }, leave: (byKey: boolean) => void): void {
  useEffect(() => {
    const other = ({ target }: Event) => !element.current!.contains(target as Node) && leave(false);
    const key = (event: KeyboardEvent) => event.key === "Escape" && leave(true);
    document.addEventListener("pointerdown", other);
    document.addEventListener("focusin", other);
    document.addEventListener("keydown", key);
    return () => {
      document.removeEventListener("pointerdown", other);
      document.removeEventListener("focusin", other);
      document.removeEventListener("keydown", key);
    };
  }, []);
}

/** An element that scrolls: it tells the style, in `data-more`, at which sides more follows. */
export function useMore(): { current: HTMLDivElement | null } {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const scrolled = element.current!;
    const tell = () => {
      const right = scrolled.scrollWidth - scrolled.clientWidth - scrolled.scrollLeft;
      scrolled.dataset.more = `${scrolled.scrollLeft > 1 ? "left" : ""} ${right > 1 ? "right" : ""}`.trim();
    };
    const observer = new ResizeObserver(tell);
    for (const part of [scrolled, ...scrolled.children]) observer.observe(part);
    scrolled.addEventListener("scroll", tell, { passive: true });
    return () => {
      observer.disconnect();
      scrolled.removeEventListener("scroll", tell);
    };
  }, []);
  return element;
}

/** The part of the address behind "#", as `name=value` pairs. */
export function useHash(): URLSearchParams {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const change = () => setHash(location.hash);
    addEventListener("hashchange", change);
    return () => removeEventListener("hashchange", change);
  }, []);
  return new URLSearchParams(hash.slice(1));
}
