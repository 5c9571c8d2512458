/** The frame of all pages: who is signed in, where one is, and how to go elsewhere. */
import type { ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { AlertsPage } from "./alerts";
import { AnomaliesPage } from "./anomalies";
import { ApplicationsPage } from "./applications";
import { HomePage } from "./home";
import { LogsPage } from "./logs";
import { PipelinePage } from "./pipeline";
import { link, navigate, route } from "./router";
import { session, signOut } from "./session";
import { ShortcutHelp, showShortcuts, useShortcuts } from "./shortcuts";
import { SignIn } from "./signin";
import { TemplatesPage } from "./templates";
import { isDark, toggleTheme } from "./theme";
import { Button, EmptyState, Icon, Toasts, toastProblem, useScrollHint } from "./ui";

const PAGES: { path: string; title: string; key: string; page: ComponentType }[] = [
  { path: "home", title: "Home", key: "h", page: HomePage },
  { path: "logs", title: "Logs", key: "l", page: LogsPage },
  { path: "anomalies", title: "Anomalies", key: "n", page: AnomaliesPage },
  { path: "alerts", title: "Alerts", key: "e", page: AlertsPage },
  { path: "templates", title: "Templates", key: "t", page: TemplatesPage },
  { path: "applications", title: "Applications", key: "a", page: ApplicationsPage },
  { path: "pipeline", title: "Pipeline", key: "p", page: PipelinePage },
];

export function App() {
  const here = PAGES.find(({ path }) => path === route.value.page);
  useEffect(() => {
    document.title = session.value ? `${here?.title ?? "Not found"} · Sluice` : "Sign in · Sluice";
  });
  useShortcuts("Everywhere", [
    ...PAGES.map(({ path, title, key }) => ({ keys: ["g", key], does: title, run: () => navigate(link(path)) })),
    { keys: ["?"], does: "These shortcuts", run: showShortcuts },
    { keys: ["T"], does: "Light or dark", run: toggleTheme },
  ]);
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        Skip to content
      </button>
      <Header />
      <main id="main" tabIndex={-1}>
        {session.value === undefined ? null : session.value === null ? <SignIn /> : <Page page={here?.page} />}
      </main>
      <ShortcutHelp />
      <Toasts />
    </>
  );
}

function Page({ page: Current }: { page: ComponentType | undefined }) {
  return Current ? (
    <Current />
  ) : (
    <EmptyState title="There is no such page" action={<a href={link("home")}>Go home</a>} />
  );
}

function Header() {
  return (
    <header class="top">
      <a class="brand" href={link("home")} aria-label="Sluice">
        <Icon name="waves" /> <span>Sluice</span>
      </a>
      {session.value && <Pages />}
      {/* Not before it is known who is signed in: else what is there already would move. */}
      <div class="top-end" hidden={session.value === undefined}>
        {session.value && <span class="who">{session.value.application}</span>}
        <Button quiet icon="help" label="Keyboard shortcuts" onClick={showShortcuts} />
        <Button
          quiet
          icon={isDark.value ? "sun" : "moon"}
          label={isDark.value ? "Light theme" : "Dark theme"}
          onClick={toggleTheme}
        />
        {session.value && <Button quiet icon="exit" label="Sign out" onClick={() => signOut().catch(toastProblem)} />}
      </div>
    </header>
  );
}

/** Where there is no room for all of them, they scroll sideways. */
function Pages() {
  const { page } = route.value;
  const nav = useRef<HTMLElement>(null);
  useScrollHint(nav);
  useEffect(() => {
    const shown = nav.current?.querySelector<HTMLElement>("[aria-current]");
    if (nav.current && shown) {
      nav.current.scrollLeft = shown.offsetLeft - (nav.current.clientWidth - shown.offsetWidth) / 2;
    }
  }, [page]);
  return (
    <nav aria-label="Pages" ref={nav}>
      {PAGES.map(({ path, title }) => (
        <a key={path} href={link(path)} aria-current={page === path ? "page" : undefined}>
          {title}
        </a>
      ))}
    </nav>
  );
}
