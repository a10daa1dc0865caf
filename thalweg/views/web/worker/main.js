// The worker of the live page: reads the site's files, and holds the one session.
import { decode } from "../decode.js";
import { load } from "../engine/network.js";
import { sentence, told } from "./sentences.js";
import { Session } from "./session.js";
import { heldTable } from "./table.js";

/** A module whose one function returns a vector: it is valid where WebAssembly has SIMD. */
const SIMD = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11);
const ROWS = 1797;

/** An address of a site, or the content itself, as bytes. @param {string | Uint8Array} file @returns {Promise<Uint8Array>} */
async function bytes(file) {
  if (typeof file !== "string") return file;
  const answer = await fetch(file);
  if (!answer.ok) throw new Error(`${file}: ${answer.status} ${answer.statusText}`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** @param {string | Uint8Array} file @returns {Promise<any>} */
async function json(file) {
  return JSON.parse(new TextDecoder().decode(await bytes(file)));
}

/** @param {{ files: { [name: string]: string | Uint8Array }, lesson: string | null, preset: string | null, states?: any[], upload_bytes?: number }} begins */
async function start({ files, lesson, preset, states: given, upload_bytes }) {
  if (!WebAssembly.validate(SIMD)) throw new Error("no SIMD");
  const [site, catalogue, code, digits, lessons, presets] = await Promise.all([json(files.site), json(files.engine), bytes(files.wasm), bytes(files.digits), json(files.lessons), json(files.presets)]);
  const kernels = await load(/** @type {any} */ (code), catalogue);
  const tools = { site, kernels, tables: new Map(), digits: { images: digits.subarray(0, 64 * ROWS), labels: digits.subarray(64 * ROWS) } };
  if (files.table) tools.tables.set("source", heldTable(decode(await bytes(files.table)), "source"));
  if (upload_bytes) site.limits.upload_bytes = upload_bytes;
  const chosen = lessons.find((/** @type {any} */ l) => l.id === lesson) ?? presets.find((/** @type {any} */ p) => p.id === preset);
  const states = chosen ? chosen.states ?? [chosen.state] : given;
  return new Session(tools, (frame) => postMessage(frame, { transfer: [frame] }), { lesson: lesson === chosen?.id ? lesson : null, preset: preset === chosen?.id ? preset : null, states });
}

/** @type {Promise<Session> | null} */
let session = null;
addEventListener("message", async ({ data }) => {
  try {
    session ??= start(data);
    const opened = await session;
    if (data.upload) postMessage({ uploaded: opened.upload(data.upload, data.name) });
    else if (data.table) postMessage({ uploaded: { table: opened.hold((id) => heldTable(decode(data.table), id)) } });
    else if (data.do === "export") postMessage({ exported: opened.export(data.kind, data.side) });
    else if (!data.files) opened.take(data);
  } catch (error) {
    postMessage({ failed: WebAssembly.validate(SIMD) ? told(error) : sentence("This browser's WebAssembly has no SIMD, with which the networks are computed here: take a newer browser, of 2023 or later.") });
  }
});
