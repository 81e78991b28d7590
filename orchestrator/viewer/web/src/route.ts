// The page and everything on it that a link should carry live in the address, behind the #: it works from files as well.
import { useEffect, useState } from "preact/hooks";

export interface Route { page: string; id: string; params: URLSearchParams }

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [page = "", id = ""] = path.split("/");
  return { page: page || "table", id, params: new URLSearchParams(query) };
}

export function href(page: string, id: string | number = "", params: Record<string, string | number | null | undefined> = {}): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) if (value !== null && value !== undefined && value !== "") query.set(key, String(value));
  const path = id === "" ? page : `${page}/${id}`;
  return `#/${path}${query.size ? `?${query}` : ""}`;
}

export function go(to: string, replace = false): void {
  if (to === location.hash) return;
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** Change some parameters of the current address; null takes one out. */
export function set(changes: Record<string, string | number | null>): void {
  const { page, id, params } = parse(location.hash);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === "") params.delete(key);
    else params.set(key, String(value));
  }
  go(href(page, id, Object.fromEntries(params)), true);
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parse(location.hash));
  useEffect(() => {
    const change = () => setRoute(parse(location.hash));
    addEventListener("hashchange", change);
    return () => removeEventListener("hashchange", change);
  }, []);
  return route;
}
