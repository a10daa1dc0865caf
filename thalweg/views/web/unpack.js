// Runs the page's code, which stands in the file deflated and in base64.
const stored = /** @type {HTMLElement} */ (document.getElementById("code"));
try {
  const inflated = new DecompressionStream("deflate-raw");
  const packed = Uint8Array.from(atob(stored.textContent ?? ""), (c) => c.charCodeAt(0));
  const script = document.createElement("script");
  script.type = "module";
  script.textContent = await new Response(new Blob([packed]).stream().pipeThrough(inflated)).text();
  stored.replaceWith(script);
} catch {
  document.body.append(stored.dataset.old ?? "");
}
