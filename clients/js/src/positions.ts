/** The interface's bounds on `Verbatim-After`. */
const MAX_TOKENS = 16;
const MAX_BYTES = 4096;
/** A scope whose writes are answered out of order keeps this many. */
const PER_SCOPE = 3;
const MAX_SCOPES = 64;

/**
 * Remembers position tokens for read-your-writes. Tokens are opaque, so "the highest" can't be computed:
 * the latest few of each scope (a conversation, or `''` for the whole) are kept and all are passed, which
 * is right whatever their order. A read that waited for them answers a position that includes them and
 * replaces them.
 */
export class Positions {
  #scopes = new Map<string, string[]>();

  wrote(scope: string, token: string | null | undefined): void {
    if (!token || token.length > 1024) return;
    const kept = (this.#scopes.get(scope) ?? []).filter((other) => other !== token);
    this.#set(scope, [...kept, token].slice(-PER_SCOPE));
  }

  /** A read of one conversation that was passed `after` answered `token`. */
  read(scope: string, after: string[], token: string | null | undefined): void {
    if (!token || token.length > 1024) return;
    // What was written while the read was under way is not included in its answer.
    const newer = (this.#scopes.get(scope) ?? []).filter((other) => other !== token && !after.includes(other));
    this.#set(scope, [token, ...newer].slice(-PER_SCOPE));
  }

  /** What a read passes: of one scope, or (without it) of all, the latest first. */
  after(scope?: string): string[] {
    const all = scope === undefined ? [...this.#scopes.values()].reverse().flatMap((tokens) => [...tokens].reverse()) : [...(this.#scopes.get(scope) ?? []), ...(this.#scopes.get('') ?? [])];
    const chosen: string[] = [];
    let bytes = 0;
    for (const token of all) {
      // One more for the comma between two.
      if (chosen.length === MAX_TOKENS || bytes + token.length + 1 > MAX_BYTES) break;
      if (chosen.includes(token)) continue;
      chosen.push(token);
      bytes += token.length + 1;
    }
    return chosen;
  }

  /** After `bad_position`: the server no longer knows what it once gave (its data was replaced). */
  forget(): void {
    this.#scopes.clear();
  }

  #set(scope: string, tokens: string[]): void {
    this.#scopes.delete(scope);
    this.#scopes.set(scope, tokens);
    if (this.#scopes.size > MAX_SCOPES) {
      const oldest = this.#scopes.keys().next().value;
      if (oldest !== undefined) this.#scopes.delete(oldest);
    }
  }
}
