import { parseJson } from "../../packages/core/src/index.ts";
import type { Json } from "../../packages/core/src/index.ts";

const LIMITS = { maxBytes: 4_194_304, maxDepth: 24, nullAllowed: true };

async function readEvents(response: Response, count: number): Promise<readonly Json[]> {
  const values: Json[] = [];
  if (response.body === null) return values;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (values.length < count) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
    const whole = text.split("\n\n");
    text = whole.pop() ?? "";
    for (const event of whole) {
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (data !== undefined) values.push(parseJson(data, LIMITS));
    }
  }
  await reader.cancel();
  return values;
}

/** JSON of a body, or of the first so many events' data. */
export async function valuesOf(response: Response, events: number): Promise<readonly Json[]> {
  const type = response.headers.get("content-type") ?? "";
  if (type.startsWith("text/event-stream")) return readEvents(response, events);
  const text = await response.text();
  return type.includes("json") ? [parseJson(text, LIMITS)] : [];
}
