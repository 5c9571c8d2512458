import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";

/** Marks an element that scrolls sideways with `has-before` and `has-after` while there is more on that side, which then
 *  fades out. */
export function useScrollHint(root: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const element = root.current;
    if (!element) {
      return undefined;
    }
    const update = () => {
      const rest = element.scrollWidth - element.clientWidth - element.scrollLeft;
      element.classList.toggle("has-before", element.scrollLeft > 1);
      element.classList.toggle("has-after", rest > 1);
    };
    const observer = new ResizeObserver(update);
    for (const watched of [element, ...element.children]) {
      observer.observe(watched);
    }
    element.addEventListener("scroll", update, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", update);
    };
  }, []);
}
