// A page that `thalweg play` serves: how it begins, and what it asks of its server. Without a server it is only files.

/** @typedef {{ lesson: string | null, preset: string | null, states: any[], table: boolean, class: boolean, upload_bytes: number }} Begins */

/** An address of this server, with the token of the page's own. @param {string} path @param {{ [name: string]: string }} [more] */
export function addressOf(path, more = {}) {
  const token = new URLSearchParams(location.search).get("token") ?? "";
  return `${new URL(path, document.baseURI).href}?${new URLSearchParams({ token, ...more })}`;
}

/** How the page begins; null without a server. @returns {Promise<Begins | null>} */
export async function begins() {
  const where = document.querySelector('meta[name="thalweg-begins"]')?.getAttribute("content");
  if (!where) return null;
  const answer = await fetch(addressOf(where));
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

/** A table's file, read by the server: its bytes as the worker takes them, or why it can't be read. @param {File} file @returns {Promise<{ bytes: Uint8Array } | { error: any }>} */
export async function readByServer(file) {
  const answer = await fetch(addressOf("upload", { name: file.name }), { method: "POST", body: file, headers: { "Content-Type": "text/csv" } });
  if (answer.ok) return { bytes: new Uint8Array(await answer.arrayBuffer()) };
  return answer.json().catch(() => ({ error: `${answer.status} ${answer.statusText}` }));
}
