// The frame: brand, pages, job, theme, and the list of keys.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Catalog } from "../data/types";
import { useKeys } from "../hooks";
import { go, href, set, type Route } from "../route";
import { Select } from "./parts";

const PAGES: [string, string][] = [["table", "Table"], ["map", "Map"], ["job", "Job"], ["play", "Playground"]];
const KEYS: [string, string][] = [
  ["/", "search"], ["j  k", "next and previous feature, or row"], ["Enter", "open what is chosen"], ["t  m  b  p", "table, map, job, playground"],
  ["c", "copy the link of this page"], ["+  −  0", "zoom the map; all of it"], ["← ↑ → ↓", "move on the map"], ["Esc", "leave a field, close a dialog"], ["?", "this list"],
];
type Theme = "auto" | "light" | "dark";
const NEXT: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
const THEME_SIGN: Record<Theme, string> = { auto: "◐", light: "☀", dark: "☾" };

export function storedTheme(): Theme {
  try {
    const kept = localStorage.getItem("theme");
    return kept === "light" || kept === "dark" ? kept : "auto";
  } catch {
    return "auto"; // a folder of files may have no storage
  }
}

export function applyTheme(theme: Theme): void {
  document.documentElement.style.colorScheme = theme === "auto" ? "light dark" : theme;
  dispatchEvent(new Event("themechange"));
}

export async function copyLink(): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(location.href);
    return true;
  } catch {
    return false;
  }
}

export function Shell(props: { catalog: Catalog | undefined; route: Route; job: string | null; children: ComponentChildren }) {
  const { catalog, route, job } = props;
  const [theme, setTheme] = useState<Theme>(storedTheme);
  const [note, setNote] = useState("");
  const help = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (!note) return;
    const timer = setTimeout(() => setNote(""), 1800);
    return () => clearTimeout(timer);
  }, [note]);
  const change = () => {
    const next = NEXT[theme];
    setTheme(next);
    applyTheme(next);
    try {
      localStorage.setItem("theme", next);
    } catch {
      // it lasts as long as the page
    }
  };
  const link = (page: string) => href(page, "", { job: route.params.get("job"), ...(page === "play" && route.page === "feature" ? { f: route.id } : {}) });
  useKeys((key) => {
    const page = { t: "table", m: "map", b: "job", p: "play" }[key];
    if (key === "?") help.current?.showModal();
    else if (key === "c") void copyLink().then((done) => setNote(done ? "Link copied" : "The browser does not let the link be copied"));
    else if (key === "/") document.querySelector<HTMLInputElement>("input[type=search]")?.focus();
    else if (key === "Escape") (document.activeElement as HTMLElement | null)?.blur();
    else if (page && (page !== "play" || catalog?.abilities.explain)) go(link(page));
    else return false;
    return true;
  });
  const pages = PAGES.filter(([page]) => page !== "play" || catalog?.abilities.explain);
  const current = route.page === "feature" ? "table" : route.page;
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>Skip to the page</a>
      <header class="top">
        <a class="brand" href={href("table", "", { job: route.params.get("job") })}>
          <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true"><circle cx="16" cy="16" r="11" /><circle cx="21" cy="12" r="3.6" /></svg>
          <span>{catalog?.title ?? "SteerScope"}</span>
        </a>
        <nav aria-label="Pages">
          {pages.map(([page, label]) => <a href={link(page)} aria-current={current === page ? "page" : undefined}>{label}</a>)}
        </nav>
        <div class="tools">
          {catalog && catalog.jobs.length > 0 ? (
            <Select label="Job" hideLabel value={job ?? ""} options={catalog.jobs.map((one) => [one.id, one.name === `Job ${one.id}` ? one.name : `${one.name} · ${one.id}`])} onChange={(value) => set({ job: value, also: null, cmp: null })} />
          ) : null}
          <button type="button" class="icon" onClick={change} aria-label={`Colours: ${theme === "auto" ? "as the system" : theme}; change`} title={`colours: ${theme === "auto" ? "as the system" : theme}`}>{THEME_SIGN[theme]}</button>
          <button type="button" class="icon" onClick={() => help.current?.showModal()} aria-label="Keys" title="keys (?)">?</button>
        </div>
      </header>
      <main id="main" tabIndex={-1} class={`page-${route.page}`}>{props.children}</main>
      <div class={note ? "note shown" : "note"} role="status">{note}</div>
      <dialog ref={help} aria-label="Keys" onClick={(event) => event.target === help.current && help.current?.close()}>
        <h2>Keys</h2>
        <dl class="keys">{KEYS.map(([keys, what]) => <div><dt>{keys.split("  ").map((key) => <kbd>{key}</kbd>)}</dt><dd>{what}</dd></div>)}</dl>
        <form method="dialog"><button class="plain">Close</button></form>
      </dialog>
    </>
  );
}
