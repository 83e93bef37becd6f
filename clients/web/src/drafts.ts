/** What was typed and not sent, per user and conversation; it survives switching, reloading and closing. */
const MAX_DRAFTS = 100;

const keyOf = (userId: string) => `verbatim.drafts.${userId}`;

export class Drafts {
  #held: Map<string, string>;

  constructor(private readonly userId: string, private readonly storage: Pick<Storage, 'getItem' | 'setItem'>) {
    this.#held = new Map(this.#read());
  }

  get(conversationId: string): string {
    return this.#held.get(conversationId) ?? '';
  }

  set(conversationId: string, text: string): void {
    this.#held.delete(conversationId);
    if (text !== '') this.#held.set(conversationId, text);
    const oldest = this.#held.keys().next().value;
    if (this.#held.size > MAX_DRAFTS && oldest !== undefined) this.#held.delete(oldest);
    try {
      this.storage.setItem(keyOf(this.userId), JSON.stringify([...this.#held]));
    } catch {
      // Without room it is kept for as long as the page is open.
    }
  }

  #read(): Array<[string, string]> {
    try {
      const pairs = JSON.parse(this.storage.getItem(keyOf(this.userId)) ?? '[]') as unknown;
      return Array.isArray(pairs) ? pairs.filter((pair): pair is [string, string] => Array.isArray(pair) && typeof pair[0] === 'string' && typeof pair[1] === 'string') : [];
    } catch {
      return [];
    }
  }
}
