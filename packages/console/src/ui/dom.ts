/** What stands inside an element: nodes, text, or nothing. Text is always a text node: no HTML is made from data. */
export type Child = Node | string | undefined | false | readonly Child[];

type Listeners = {
  readonly [E in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[E]) => void;
};

export interface Properties {
  readonly class?: string;
  readonly on?: Listeners;
  /** `true` is an attribute without a value, `false` and `undefined` are none. */
  readonly attrs?: Readonly<Record<string, string | number | boolean | undefined>>;
}

function nodesOf(children: readonly Child[]): readonly (Node | string)[] {
  return children.flatMap((child) => {
    if (child === undefined || child === false || child === "") return [];
    if (typeof child === "string" || child instanceof Node) return [child];
    return nodesOf(child);
  });
}

function setAttributes(element: Element, attrs: NonNullable<Properties["attrs"]>): void {
  for (const [name, value] of Object.entries(attrs)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** Makes an element. */
export function h<T extends keyof HTMLElementTagNameMap>(
  tag: T,
  properties: Properties,
  ...children: readonly Child[]
): HTMLElementTagNameMap[T] {
  const element = document.createElement(tag);
  if (properties.class !== undefined) element.className = properties.class;
  setAttributes(element, properties.attrs ?? {});
  for (const [name, listener] of Object.entries(properties.on ?? {}))
    element.addEventListener(name, listener as EventListener); // each under the name of its own event
  element.append(...nodesOf(children));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** Makes an element of SVG. */
export function svg(
  tag: string,
  attrs: NonNullable<Properties["attrs"]>,
  ...children: readonly Element[]
): SVGElement {
  const element = document.createElementNS(SVG, tag);
  setAttributes(element, attrs);
  element.append(...children);
  return element;
}

/** Puts these in the place of everything inside. */
export function fill(element: Element, ...children: readonly Child[]): void {
  element.replaceChildren(...nodesOf(children));
}
