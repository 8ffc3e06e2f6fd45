import type { Draw } from "./draw.ts";

interface Node {
  tag: number;
  content: Uint8Array | Node[];
}

const MAX_DEPTH = 20;

/** Elements in octets, as far as they can be told apart; `undefined` where they cannot. */
function parse(data: Uint8Array, depth = 0): Node[] | undefined {
  const nodes: Node[] = [];
  let at = 0;
  while (at < data.length) {
    const tag = data[at] ?? 0;
    const first = data[at + 1] ?? 0;
    const lengthOctets = first < 0x80 ? 0 : first & 0x7f;
    if (lengthOctets > 3) return undefined;
    let length = first < 0x80 ? first : 0;
    for (let i = 0; i < lengthOctets; i += 1) length = length * 256 + (data[at + 2 + i] ?? 0);
    const from = at + 2 + lengthOctets;
    if (from + length > data.length) return undefined;
    const content = data.subarray(from, from + length);
    nodes.push({ tag, content: inner(tag, content, depth) ?? content });
    at = from + length;
  }
  return nodes;
}

/** What is inside of constructed elements, and of octet strings that hold DER. */
function inner(tag: number, content: Uint8Array, depth: number): Node[] | undefined {
  const mayHold = (tag & 0x20) !== 0 || (tag === 0x04 && content[0] === 0x30);
  return mayHold && depth < MAX_DEPTH ? parse(content, depth + 1) : undefined;
}

function write(node: Node): number[] {
  const content = Array.isArray(node.content) ? node.content.flatMap(write) : [...node.content];
  const { length } = content;
  const shown =
    length < 0x80
      ? [length]
      : length < 0x100
        ? [0x81, length]
        : length < 0x10000
          ? [0x82, length >> 8, length & 255]
          : [0x83, length >> 16, (length >> 8) & 255, length & 255];
  return [node.tag, ...shown, ...content];
}

function everyList(list: Node[]): Node[][] {
  return [
    list,
    ...list.flatMap(({ content }) => (Array.isArray(content) ? everyList(content) : [])),
  ];
}

const TAGS = [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x13, 0x16, 0x17, 0x18, 0x30, 0x31].concat([
  0x80, 0x81, 0x82, 0x85, 0x86, 0x87, 0xa0, 0xa1, 0xa2, 0xa3, 0xa5, 0x24, 0x3f,
]);

/** DER with one element changed, taken out, doubled or moved, and all lengths around it made to fit again. */
export function mutateDer(draw: Draw, data: Uint8Array): Uint8Array {
  const tree = parse(data);
  if (tree === undefined || tree.length === 0) return data;
  const list = draw.pick(everyList(tree).filter((candidate) => candidate.length > 0));
  const position = draw.int(list.length);
  const node = list[position];
  if (node === undefined) return data;
  const whole = new Uint8Array(write(node));
  switch (draw.int(6)) {
    case 0:
      list.splice(position, 1);
      break;
    case 1:
      list.splice(position, 0, ...Array.from({ length: draw.pick([1, 1, 2, 30]) }, () => node));
      break;
    case 2:
      list.splice(position, 1);
      list.splice(draw.int(list.length + 1), 0, node);
      break;
    case 3:
      list[position] = { ...node, tag: draw.pick(TAGS) };
      break;
    case 4:
      list[position] = { tag: draw.pick(TAGS), content: whole };
      break;
    default:
      list[position] = { ...node, content: changedContent(draw, node) };
  }
  return new Uint8Array(tree.flatMap(write));
}

function changedContent(draw: Draw, { content }: Node): Uint8Array {
  const octets = Array.isArray(content) ? content.flatMap(write) : [...content];
  const at = draw.int(octets.length + 1);
  octets.splice(at, draw.int(3), ...Array.from({ length: draw.int(3) }, () => draw.int(256)));
  return new Uint8Array(octets);
}
