import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get } from "./data/source";
import { Table } from "./data/table";
import type { MapDocument, TableDocument } from "./data/types";

export interface Loaded<T> { value?: T; error?: Error; waiting: boolean }

const AGAIN = 1500;

/** A document by name (null: none is wanted); asked for again while the server works it out, and when `round` changes. */
export function useDocument<T>(name: string | null, round = 0): Loaded<T> {
  const [state, setState] = useState<Loaded<T> & { name: string | null }>({ waiting: name !== null, name });
  useEffect(() => {
    let timer = 0;
    let gone = false;
    if (name === null) return setState({ waiting: false, name });
    const ask = () =>
      get<T>(name).then(
        (value) => {
          if (gone) return;
          if (value === undefined) timer = window.setTimeout(ask, AGAIN);
          else setState({ value, waiting: false, name });
        },
        (error: Error) => !gone && setState({ error, waiting: false, name }),
      );
    setState((old) => (old.name === name ? old : { waiting: true, name }));
    void ask();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [name, round]);
  return state.name === name ? state : { waiting: name !== null };
}

const tables = new WeakMap<TableDocument, Table>();

export function tableOf(doc: TableDocument): Table {
  let table = tables.get(doc);
  if (!table) tables.set(doc, (table = new Table(doc)));
  return table;
}

export function useTable(job: string | null, round = 0): Loaded<Table> {
  const loaded = useDocument<TableDocument>(job && `${job}/table`, round);
  return { ...loaded, value: loaded.value && tableOf(loaded.value) };
}

/** The map, with the cluster of each feature. */
export function useMap(job: string | null, round = 0): Loaded<MapDocument> & { clusterOf: Map<number, number> | null } {
  const loaded = useDocument<MapDocument>(job && `${job}/map`, round);
  const map = loaded.value;
  const clusterOf = useMemo(() => (map ? new Map(map.features.map((one, at) => [one, map.cluster[at] as number])) : null), [map]);
  return { ...loaded, clusterOf };
}

const PAUSE = 250;

/**
 * What stands in a field whose content the address carries (`told`): as typed, at once; `write` puts it there after a pause.
 * What comes back from the address is the field's own echo and changes nothing, even if it is late; anything else (a link,
 * the browser's back) does. `plain` gives texts that mean the same one form, such as the numbers .5 and 0.50.
 */
export function useTyped(told: string, write: (text: string) => void, plain: (text: string) => string = same): [string, (text: string) => void] {
  const [typed, setTyped] = useState(told);
  const written = useRef(told);
  const timer = useRef(0);
  const latest = useRef(write);
  latest.current = write;
  useEffect(() => {
    if (plain(told) === plain(written.current)) return;
    clearTimeout(timer.current);
    written.current = told;
    setTyped(told);
  }, [told]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (text: string) => {
    setTyped(text);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => {
      written.current = text;
      latest.current(plain(text));
    }, PAUSE);
  };
  return [typed, type];
}

const same = (text: string): string => text;

/** Keys of the whole page, unless somebody types. A handler that returns true has used the key. */
export function useKeys(handle: (key: string, event: KeyboardEvent) => boolean | void): void {
  const latest = useRef(handle);
  latest.current = handle;
  useEffect(() => {
    const down = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const typing = event.target instanceof Element && event.target.closest("input, select, textarea, dialog");
      if (typing && event.key !== "Escape") return;
      if (latest.current(event.key, event)) event.preventDefault();
    };
    addEventListener("keydown", down);
    return () => removeEventListener("keydown", down);
  }, []);
}

export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const change = () => setMatches(list.matches);
    list.addEventListener("change", change);
    change();
    return () => list.removeEventListener("change", change);
  }, [query]);
  return matches;
}
