// The live page's model: JSON goes to a worker that trains, binary frames come back. A frame's keys are the names that change.
import { decode } from "../decode.js";
import { notices } from "./notices.js";
import { addressOf, readByServer } from "./served.js";
import { unpacked } from "./static.js";

const FILES = { site: "site.json", engine: "engine.json", wasm: "thalweg.wasm", digits: "digits.bin", lessons: "lessons.json", presets: "presets.json" };
/** What a page that is one file holds: bytes by name. @type {Promise<{ [name: string]: Uint8Array }> | null} */
let held = null;

/** A file of the site: its bytes, if the page holds them, or its address beside the page. @param {string} name */
async function fileOf(name) {
  const element = document.getElementById("document");
  if (!element) return new URL(name, document.baseURI).href;
  held ??= unpacked(element.textContent ?? "");
  return (await held)[name];
}

/** A file with data, such as "lessons". @param {string} name */
export async function dataOf(name) {
  const file = await fileOf(`${name}.json`);
  return typeof file === "string" ? (await fetch(file)).json() : JSON.parse(new TextDecoder().decode(file));
}

/**
 * Every frame is acknowledged when its listeners have run and what they promised is done: the worker makes the next one
 * only then, so a page never gets more than it can draw. `change:closed` says, in `reason`, why the worker has ended. The page
 * begins with the lesson or preset of its address, ?lesson=one-row, or as its server says.
 * @param {import("./served.js").Begins | null} [served]
 * @returns {Model & { upload(file: File): Promise<any>, exported(kind: string, side: number): Promise<any> }}
 */
export function workerModel(served = null) {
  const { values, on, set } = notices();
  /** @type {Worker | null} */
  let worker = null;
  /** @type {any[]} */
  const waiting = []; // what is sent before there is a worker
  /** Who waits for the answer about a file, and for one: the worker answers in order. @type {{ [what: string]: ((answer: any) => void)[] }} */
  const asking = { uploaded: [], exported: [] };

  async function start() {
    const asked = new URLSearchParams(location.search);
    const code = await fileOf("worker.js");
    const files = Object.fromEntries(await Promise.all(Object.entries(FILES).map(async ([key, name]) => [key, await fileOf(name)])));
    const address = typeof code === "string" ? code : URL.createObjectURL(new Blob([/** @type {any} */ (code)], { type: "text/javascript" }));
    worker = new Worker(address); // classic: from disk, Chromium starts no module
    worker.addEventListener("message", heard);
    worker.addEventListener("error", (event) => {
      worker?.terminate();
      set("closed", { reason: event.message ?? "" });
    });
    if (served?.table) files.table = addressOf("table");
    const { lesson, preset, states } = served && !asked.has("lesson") && !asked.has("preset") ? served : { lesson: asked.get("lesson"), preset: asked.get("preset"), states: undefined };
    for (const message of [{ lesson, preset, states, upload_bytes: served?.upload_bytes, files }, ...waiting.splice(0)]) worker.postMessage(message);
  }

  /** @param {MessageEvent} event */
  async function heard({ data }) {
    if (data.failed) return void set("closed", { reason: data.failed });
    for (const [what, waits] of Object.entries(asking)) if (data[what]) return waits.shift()?.(data[what]);
    const frame = decode(data);
    const drawn = Object.entries(frame).flatMap(([name, value]) => set(name, value));
    await Promise.all([...drawn, ...set("message", frame)]);
    if (frame.frame !== undefined) send({ do: "ack", frame: frame.frame });
  }

  /** @param {{ [key: string]: any }} message */
  function send(message) {
    if (worker) worker.postMessage(message);
    else waiting.push(message);
  }

  start().catch((error) => set("closed", { reason: String(error) }));
  /** What is to be learned from a table's file, which the server reads where there is one. @param {File} file */
  async function upload(file) {
    const read = served && (await readByServer(file));
    if (read && "error" in read) return read;
    return answer("uploaded", read ? { table: read.bytes } : { upload: new Uint8Array(await file.arrayBuffer()), name: file.name });
  }

  /** @param {string} what @param {any} message @returns {Promise<any>} */
  function answer(what, message) {
    return new Promise((resolve) => {
      asking[what].push(resolve);
      send(message);
    });
  }

  const exported = (/** @type {string} */ kind, /** @type {number} */ side) => answer("exported", { do: "export", kind, side });
  return { live: true, get: (name) => values[name], on, send, upload, exported };
}
