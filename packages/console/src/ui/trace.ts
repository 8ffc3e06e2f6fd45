import { fromBase64url } from "@countersign/core";
import { svg } from "./dom.ts";

const LOOPS = 7;
const STEP = 22;
const BASE = 44;

/** One loop of the pen from three octets: how high, how wide and how far it leans. */
function loop(x: number, octets: readonly number[]): string {
  const [a = 0, b = 0, c = 0] = octets;
  const height = 14 + (a % 26);
  const lean = (b % 13) - 2;
  const width = 3 + (c % 12);
  const top = BASE - height;
  return (
    `C${x + 6 + lean} ${BASE} ${x + 10 + lean + width} ${top} ${x + 6 + lean} ${top} ` +
    `S${x + 2} ${BASE - 4} ${x + STEP - 6} ${BASE}`
  );
}

/**
 * A pen stroke that is the same wherever the same key signs. Decoration: it stands above the eight characters that
 * name the key, and is no check.
 * @param jkt thumbprint, 43 characters of base64url
 */
export function keyTrace(jkt: string, className: string): SVGElement {
  const octets = [...fromBase64url(jkt)];
  const path = Array.from({ length: LOOPS }, (_, i) =>
    loop(8 + i * STEP, octets.slice(i * 3, i * 3 + 3)),
  );
  return svg(
    "svg",
    { class: className, viewBox: "0 0 190 52", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: `M8 ${BASE}${path.join("")}`, pathLength: 1 }),
  );
}
