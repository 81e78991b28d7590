// Explanations as they are made: a line of JSON each.
import { answer, ask } from "../data/source";
import type { Told } from "../data/types";

type Line = Told | { done: true } | { error: string };

export async function explain(feature: number, variants: string[], signal: AbortSignal, heard: (told: Told) => void): Promise<void> {
  const response = await ask("/api/explain", {
    method: "POST", signal, headers: { "content-type": "application/json" }, body: JSON.stringify({ feature, variants }),
  });
  if (!response.ok || !response.body) return answer<void>(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    rest += value ?? "";
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines.filter(Boolean)) {
      const told = JSON.parse(line) as Line;
      if ("error" in told) throw new Error(told.error);
      if ("variant" in told) heard(told);
    }
    if (done) return;
  }
}
