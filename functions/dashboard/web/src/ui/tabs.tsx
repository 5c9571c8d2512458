import { useRef } from "preact/hooks";
import { link } from "../router";
import { useScrollHint } from "./scrollhint";

interface Props {
  label: string;
  /** The page's path; each tab's follows it. */
  base: string;
  tabs: { path: string; title: string }[];
  /** The path of the one that is shown. */
  current: string;
}

/** Parts of a page, each with an address of its own. */
export function Tabs({ label, base, tabs, current }: Props) {
  const root = useRef<HTMLElement>(null);
  useScrollHint(root);
  return (
    <nav class="tabs" aria-label={label} ref={root}>
      {tabs.map(({ path, title }) => (
        <a key={path} href={link(path ? `${base}/${path}` : base)} aria-current={path === current ? "page" : undefined}>
          {title}
        </a>
      ))}
    </nav>
  );
}
