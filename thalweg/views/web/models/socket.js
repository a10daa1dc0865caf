// The live page's model: binary frames come in, JSON goes out. A frame's keys are the names that change.
import { decode } from "../decode.js";
import { notices } from "./notices.js";

/**
 * Every frame is acknowledged when its listeners have run and what they promised is done: the server makes the next
 * one only then, so a page never gets more than it can draw.
 * `change:closed` says that the connection has ended, and why.
 * @param {string} address
 * @returns {Model & { close(): void }}
 */
export function socketModel(address) {
  const { values, on, set } = notices();
  const socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  /** @type {string[]} */
  const waiting = []; // what is sent before the socket is open
  socket.addEventListener("open", () => {
    for (const text of waiting.splice(0)) socket.send(text);
    set("open", true);
  });
  socket.addEventListener("message", async (event) => {
    const frame = typeof event.data === "string" ? JSON.parse(event.data) : decode(event.data);
    const drawn = Object.entries(frame).flatMap(([name, value]) => set(name, value));
    await Promise.all([...drawn, ...set("message", frame)]);
    if (frame.frame !== undefined) send({ do: "ack", frame: frame.frame });
  });
  socket.addEventListener("close", (event) => set("closed", { code: event.code, reason: event.reason }));

  /** @param {{ [key: string]: any }} message */
  function send(message) {
    const text = JSON.stringify(message);
    if (socket.readyState === WebSocket.CONNECTING) waiting.push(text);
    else if (socket.readyState === WebSocket.OPEN) socket.send(text);
    else set("closed", { code: 0, reason: "" });
  }

  return { live: true, get: (name) => values[name], on, send, close: () => socket.close() };
}
