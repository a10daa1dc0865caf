// Small images with captions, and what speaks for or against an answer laid over them.
import { diverging } from "../colours.js";
import { extent, tensor } from "../decode.js";
import { h, redrawn } from "../dom.js";
import { said, word } from "../words.js";

/**
 * @param {HTMLElement} element
 * @param {Images} figure
 * @returns {Drawn}
 */
export function drawImages(element, figure) {
  let covered = true;
  return redrawn(element, figure, (/** @type {Images} */ f, width, again) => {
    const toggle = () => {
      covered = !covered;
      again();
    };
    const images = tensor(f.images);
    const [count, height, across] = images.shape;
    if (!count) return h("p", { class: "empty" }, word("Nothing to show here."));
    const overlay = f.overlay ? tensor(f.overlay) : null;
    const scale = Math.max(0.1, Math.min(f.scale ?? Math.max(1, Math.floor(96 / across)), width / across));
    const size = { width: `${across * scale}px`, height: `${height * scale}px` };
    const items = Array.from({ length: count }, (_, n) => {
      const caption = said(f.captions?.[n]);
      const picture = h("canvas", { width: across, height, class: "picture", role: "img", "aria-label": caption || `${word("image")} ${n + 1}`, style: size });
      paintPicture(picture, images, n, covered ? overlay : null, diverging(element));
      return h("li", { style: { "max-width": `${Math.max(across * scale, 84)}px` } }, picture, caption ? h("span", { class: "caption" }, caption) : null);
    });
    const box = overlay && h("input", { type: "checkbox", onchange: toggle });
    if (box) box.checked = covered;
    return [box ? h("label", { class: "check" }, box, word("overlay")) : null, h("ul", { class: "pictures", "aria-label": said(f.title) }, items)];
  });
}

/**
 * One image at its own size; the page enlarges it. Bytes are 0 … 255; other numbers are stretched over their range.
 * @param {HTMLCanvasElement} picture
 * @param {Tensor} images
 * @param {number} n
 * @param {Tensor | null} overlay
 * @param {(share: number) => [number, number, number]} scale
 */
function paintPicture(picture, images, n, overlay, scale) {
  const [, height, width, channelsOf = 1] = images.shape;
  const size = height * width * channelsOf;
  const pixels = images.subarray(n * size, (n + 1) * size);
  const [low, high] = images instanceof Uint8Array ? [0, 255] : extent(pixels);
  const byte = (/** @type {number} */ v) => (255 * (v - low)) / (high - low || 1);
  const strongest = overlay ? Math.max(...extent(overlay).map(Math.abs)) || 1 : 1;
  const image = new ImageData(width, height);
  for (let p = 0; p < height * width; p++) {
    const colours = channelsOf >= 3;
    const rgb = [0, 1, 2].map((c) => byte(pixels[p * channelsOf + (colours ? c : 0)]));
    const weight = overlay ? overlay[n * height * width + p] / strongest : 0;
    const tone = overlay ? scale(0.5 + 0.4 * Math.sign(weight)) : rgb;
    const cover = 0.85 * Math.abs(weight);
    for (let c = 0; c < 3; c++) image.data[4 * p + c] = rgb[c] + cover * (tone[c] - rgb[c]);
    image.data[4 * p + 3] = 255;
  }
  picture.getContext("2d")?.putImageData(image, 0, 0);
}
