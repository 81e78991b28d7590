// Where documents come from: the server, or, in a folder opened by double click, scripts that lie beside the page.

export class Missing extends Error {}

/** A document by its name, such as `catalog` or `JOB/feature/3`; undefined while the server works it out. */
export type Get = <T>(name: string) => Promise<T | undefined>;

export const isFolder = document.querySelector('meta[name="steerscope-site"]') !== null;

/** Ask the server. Throws what went wrong in words for people, or an AbortError if `init.signal` said so. */
export async function ask(path: string, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (fault) {
    throw init?.signal?.aborted ? fault : new Error("the viewer's server does not answer; is `steerscope view` still running?");
  }
}

/** Ask the server for a document. Throws as `ask` does, and what the server says is wrong. */
export const call = async <T>(path: string, init?: RequestInit): Promise<T> => answer<T>(await ask(path, init));

/** The document of an answer. Throws Missing for a 404, else an Error, with the server's own words. */
export async function answer<T>(response: Response): Promise<T> {
  const text = await response.text();
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new Error(`the server answered ${response.status} without a document`);
  }
  if (response.ok) return document as T;
  const told = (document as { error?: string }).error ?? `the server answered ${response.status}`;
  throw response.status === 404 ? new Missing(told) : new Error(told);
}

async function fromServer<T>(name: string): Promise<T | undefined> {
  const response = await ask(`/data/${name}.json`);
  return response.status === 202 ? undefined : answer<T>(response);
}

const arrived = new Map<string, unknown>();

function fromFolder<T>(name: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `data/${name}.js`;
    script.onload = () => {
      const found = arrived.get(name);
      arrived.delete(name);
      script.remove();
      if (found === undefined) reject(new Error(`data/${name}.js holds another document`));
      else resolve(found as T);
    };
    script.onerror = () => {
      script.remove();
      reject(new Missing(`there is no data/${name}.js in this folder`));
    };
    document.head.append(script);
  });
}

if (isFolder) {
  (window as unknown as Record<string, unknown>)["steerscope"] = (name: string, found: unknown) => arrived.set(name, found);
}

const pending = new Map<string, Promise<unknown>>();
const KEPT = 200;

/** Get a document; answers are kept, the oldest go first. */
export const get: Get = (name) => {
  const known = pending.get(name);
  if (known) return known as Promise<never>;
  const asked: Promise<unknown> = isFolder ? fromFolder(name) : fromServer(name);
  pending.set(name, asked);
  asked.then((found) => found === undefined && pending.delete(name), () => pending.delete(name));
  if (pending.size > KEPT) pending.delete(pending.keys().next().value as string);
  return asked as Promise<never>;
};

/** Forget one document. */
export const drop = (name: string): boolean => pending.delete(name);

/** Forget what is known of a job: it has more results now. */
export function forget(job: string): void {
  for (const name of pending.keys()) if (name === "catalog" || name.startsWith(`${job}/`)) pending.delete(name);
}

/** Where an image is, from the path in a document. */
export const imageAt = (path: string): string => (isFolder ? path : `/${path}`);
