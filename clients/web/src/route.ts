import { signal } from '@preact/signals';

export interface Route {
  conversation: string | null;
  details: boolean;
}

/** In the fragment, so that the back button works and any folder can serve the page. */
export const route = signal<Route>(read());

window.addEventListener('hashchange', () => (route.value = read()));

function read(): Route {
  const [, conversation, details] = /^#\/c\/([^/]+)(\/details)?$/.exec(location.hash) ?? [];
  return { conversation: conversation ? decoded(conversation) : null, details: details !== undefined };
}

/** What is no encoding (somebody wrote it by hand) stands for no conversation. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

export const pathOf = (conversation: string, details = false) => `#/c/${encodeURIComponent(conversation)}${details ? '/details' : ''}`;

export function goTo(conversation: string, details = false): void {
  location.hash = pathOf(conversation, details);
}

/** Closing is no step that the back button should undo. */
export function closeDetails(conversation: string): void {
  history.replaceState(null, '', pathOf(conversation));
  route.value = read();
}

export function goToList(): void {
  // An empty fragment through location.hash would leave a lone "#" and scroll.
  history.pushState(null, '', location.pathname + location.search);
  route.value = read();
}
