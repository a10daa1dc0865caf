// A notebook's model: anywidget's, whose trait `document` holds encoding.py's bytes.
import { decode } from "../decode.js";

/**
 * Bytes traits arrive as DataViews and are decoded once for each change; other traits pass as they are.
 * @param {any} widget anywidget's model
 * @returns {Model}
 */
export function widgetModel(widget) {
  /** @type {Map<string, { bytes: any, value: any }>} */
  const decoded = new Map();
  /** @param {string} name */
  const get = (name) => {
    const bytes = widget.get(name);
    if (!(bytes instanceof DataView) || !bytes.byteLength) return bytes instanceof DataView ? undefined : bytes;
    const known = decoded.get(name);
    if (known?.bytes === bytes) return known.value;
    const value = decode(bytes);
    decoded.set(name, { bytes, value });
    return value;
  };
  return {
    live: true,
    get,
    on(event, listener) {
      const heard = () => listener(get(event.replace("change:", "")));
      widget.on(event, heard);
      return () => widget.off(event, heard);
    },
    send: (message) => widget.send(message),
  };
}
