/** A value that this browser keeps; one that keeps nothing (private windows) is no error. */
export function remembered(name: string) {
  return {
    get(): string | null {
      try {
        return localStorage.getItem(name);
      } catch {
        return null;
      }
    },
    set(value: string | null): void {
      try {
        if (value === null) {
          localStorage.removeItem(name);
        } else {
          localStorage.setItem(name, value);
        }
      } catch {
        // Until the page is closed, its own state is enough.
      }
    },
  };
}
