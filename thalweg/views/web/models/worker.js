// The model of the live page without a server: the socket's messages and frames, from a worker.
import { decode } from "../decode.js";
import { notices } from "./notices.js";

/** Whether this page has no server: its index.html says so. */
export function hasNoServer() {
  return document.querySelector('meta[name="thalweg-model"]')?.getAttribute("content") === "worker";
}

/** The address of a file of the site, wherever that lies. @param {string} name */
export function besidePage(name) {
  return new URL(name, document.baseURI).href;
}

/**
 * Frames are acknowledged as the socket's are; `change:closed` says, in `reason`, why the worker has ended. The page
 * begins with the lesson or preset of its address: ?lesson=one-row.
 * @returns {Model}
 */
export function workerModel() {
  const { values, on, set } = notices();
  const worker = new Worker(besidePage("worker.js"), { type: "module" });
  const names = { site: "site.json", engine: "engine.json", wasm: "thalweg.wasm", digits: "digits.bin", lessons: "lessons.json", presets: "presets.json" };
  const asked = new URLSearchParams(location.search);
  worker.postMessage({ lesson: asked.get("lesson"), preset: asked.get("preset"), files: Object.fromEntries(Object.entries(names).map(([key, name]) => [key, besidePage(name)])) });
  worker.addEventListener("message", async ({ data }) => {
    if (data.failed) return set("closed", { reason: data.failed });
    const frame = decode(data);
    const drawn = Object.entries(frame).flatMap(([name, value]) => set(name, value));
    await Promise.all([...drawn, ...set("message", frame)]);
    if (frame.frame !== undefined) send({ do: "ack", frame: frame.frame });
  });
  worker.addEventListener("error", (event) => {
    worker.terminate();
    set("closed", { reason: event.message ?? "" });
  });

  /** @param {{ [key: string]: any }} message */
  function send(message) {
    worker.postMessage(message);
  }

  return { live: true, get: (name) => values[name], on, send };
}
