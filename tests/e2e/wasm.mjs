// Small modules, byte by byte (WebAssembly core specification 2.0, section 5).
import { randomBytes } from "node:crypto";

const leb = (number) => (number < 0x80 ? [number] : [(number & 0x7f) | 0x80, ...leb(number >>> 7)]);
const section = (id, bytes) => [id, ...leb(bytes.length), ...bytes];
const text = (name) => [name.length, ...Buffer.from(name)];

/** One function of `type`, exported as `name`; `more` goes between the functions and the exports. */
function module(name, type, body, more = []) {
  const code = [0, ...body, 0x0b];
  return new Uint8Array([
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
    ...section(1, [1, 0x60, ...type]),
    ...section(3, [1, 0]),
    ...more,
    ...section(7, [1, ...text(name), 0, 0]),
    ...section(10, [1, ...leb(code.length), ...code]),
  ]);
}

/** `(i32, i32) -> i32`: the sum. */
export const adder = (name) => module(name, [2, 0x7f, 0x7f, 1, 0x7f], [0x20, 0, 0x20, 1, 0x6a]);

/** Never returns. */
export const spinner = (name) => module(name, [0, 0], [0x03, 0x40, 0x0c, 0, 0x0b]);

/** `() -> i32`: takes memory until there is no more; gives the number of pages. */
export const hog = (name) => module(
  name,
  [0, 1, 0x7f],
  [0x03, 0x40, 0x41, 16, 0x40, 0, 0x41, 0x7f, 0x47, 0x0d, 0, 0x0b, 0x3f, 0],
  section(5, [1, 0, 1]),
);

/** `() -> i32`: grows each of `count` memories as far as it may, writes to every byte, and gives the pages of all. */
export const manyMemories = (name, count) => {
  const numbers = [...Array(count).keys()];
  const one = (memory) => [
    0x03, 0x40, 0x41, 1, 0x40, memory, 0x41, 0x7f, 0x47, 0x0d, 0, 0x0b, // grow by a page, again unless that gave -1
    0x41, 0, 0x41, 1, 0x3f, memory, 0x41, 16, 0x74, 0xfc, 0x0b, memory, // fill all its pages
    0x3f, memory, 0x6a, // add their number
  ];
  return module(name, [0, 1, 0x7f], [0x41, 0, ...numbers.flatMap(one)], section(5, [count, ...numbers.flatMap(() => [0, 0])]));
};

/** `() -> i32`: grows a table by 1,000 elements at a time until it may not grow, and gives their number. */
export const growingTable = (name) => module(
  name,
  [0, 1, 0x7f],
  [0x03, 0x40, 0xd0, 0x6f, 0x41, ...leb(1_000), 0xfc, 0x0f, 0, 0x41, 0x7f, 0x47, 0x0d, 0, 0x0b, 0xfc, 0x10, 0],
  section(4, [1, 0x6f, 0, 0]),
);

/** `() -> i32`: does nothing; it begins with `count` tables of `elements` each. */
export const manyTables = (name, count, elements) => module(
  name,
  [0, 1, 0x7f],
  [0x41, 1],
  section(4, [count, ...Array(count).fill([0x6f, 0, ...leb(elements)]).flat()]),
);

/** Does nothing, but wants a function of somebody else. */
export const asking = (namespace, name) => new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
  ...section(1, [1, 0x60, 0, 0]),
  ...section(2, [1, ...text(namespace), ...text(name), 0, 0]),
]);

/** Imports `from`.`wanted`, a function without parameters or a memory, and calls the function. */
export const importer = (name, from, wanted, { memory = false } = {}) => {
  const kind = memory ? [2, 0, 1] : [0, 0];
  const code = [0, ...(memory ? [] : [0x10, 0]), 0x0b];
  return new Uint8Array([
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
    ...section(1, [1, 0x60, 0, 0]),
    ...section(2, [1, ...text(from), ...text(wanted), ...kind]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...text(name), 0, memory ? 0 : 1]),
    ...section(10, [1, code.length, ...code]),
  ]);
};

/** The same module, longer by a custom section with `length` bytes that nothing can make shorter. */
export const padded = (bytes, length) => {
  const body = Buffer.concat([Buffer.from(text("pad")), randomBytes(length)]);
  return new Uint8Array(Buffer.concat([bytes, Buffer.from([0, ...leb(body.length)]), body]));
};
