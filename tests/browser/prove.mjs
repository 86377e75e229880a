// For `cargo xtask bench`: makes one proof for every line it reads, and writes the nanoseconds that each took.
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

const [, , path] = process.argv;
const { instance } = await WebAssembly.instantiate(await readFile(path), {});

for await (const _ of createInterface({ input: process.stdin })) {
  const started = process.hrtime.bigint();
  instance.exports.main(0, 0);
  console.log(String(process.hrtime.bigint() - started));
}
