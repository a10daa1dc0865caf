// Named values, and who listens to their changes: what the live models have in common.

/**
 * `set` returns what the listeners return.
 * @returns {{ values: { [name: string]: any }, on: Model["on"], set(name: string, value: any): any[] }}
 */
export function notices() {
  /** @type {{ [name: string]: any }} */
  const values = {};
  /** @type {Map<string, Set<(value: any) => void>>} */
  const listeners = new Map();
  return {
    values,
    on(event, listener) {
      const those = listeners.get(event) ?? new Set();
      listeners.set(event, those.add(listener));
      return () => those.delete(listener);
    },
    set(name, value) {
      values[name] = value;
      return [...(listeners.get(`change:${name}`) ?? [])].map((listener) => listener(value));
    },
  };
}
