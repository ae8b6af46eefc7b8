/** What does a component need to know of the browser? Whether it prints, how wide it is, what is scrolled into view. */
import { options } from "preact";
import { useEffect, useState } from "preact/hooks";

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
