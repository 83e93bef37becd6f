/** Where the outbox keeps its items. Synchronous, so that an item is kept before `send` returns. One key an item, so that two windows of one user do not overwrite each other. */
export interface Persistence {
  /** All pairs whose key starts with `prefix`. */
  load(prefix: string): Array<[key: string, value: string]>;
  get(key: string): string | null;
  /** May throw when there is no room. */
  put(key: string, value: string): void;
  remove(key: string): void;
}

/** Keeps nothing over a restart; the default. */
export class MemoryPersistence implements Persistence {
  #items = new Map<string, string>();

  load(prefix: string): Array<[string, string]> {
    return [...this.#items].filter(([key]) => key.startsWith(prefix));
  }
  get(key: string): string | null {
    return this.#items.get(key) ?? null;
  }
  put(key: string, value: string): void {
    this.#items.set(key, value);
  }
  remove(key: string): void {
    this.#items.delete(key);
  }
}

/** The browser's localStorage, or any Storage. */
export class StoragePersistence implements Persistence {
  constructor(private readonly storage: Storage) {}

  load(prefix: string): Array<[string, string]> {
    const found: Array<[string, string]> = [];
    for (let index = 0; index < this.storage.length; index++) {
      const key = this.storage.key(index);
      const value = key?.startsWith(prefix) ? this.storage.getItem(key) : null;
      if (key !== null && value !== null) found.push([key, value]);
    }
    return found;
  }
  get(key: string): string | null {
    return this.storage.getItem(key);
  }
  put(key: string, value: string): void {
    this.storage.setItem(key, value);
  }
  remove(key: string): void {
    this.storage.removeItem(key);
  }
}
