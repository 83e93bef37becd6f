/** The browser's storage, or one that lasts as long as the page where the browser allows none. */
export function storage(kind: 'localStorage' | 'sessionStorage'): Storage {
  try {
    const real = window[kind];
    // Some browsers have one that refuses every write.
    real.setItem('verbatim.probe', '1');
    real.removeItem('verbatim.probe');
    return real;
  } catch {
    return new MemoryStorage();
  }
}

class MemoryStorage implements Storage {
  #items = new Map<string, string>();

  get length(): number {
    return this.#items.size;
  }
  key(index: number): string | null {
    return [...this.#items.keys()][index] ?? null;
  }
  getItem(key: string): string | null {
    return this.#items.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.#items.set(key, value);
  }
  removeItem(key: string): void {
    this.#items.delete(key);
  }
  clear(): void {
    this.#items.clear();
  }
}
