import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { ConversationView } from '@verbatim/client';
import { titleOf } from '../format';
import { useModel } from './context';
import { Icon } from './icon';

/** Lines shown before the field scrolls. */
const MAX_ROWS = 8;

export function Composer({ view }: { view: ConversationView }) {
  const model = useModel();
  const text = useSignal(model.drafts.get(view.id));
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    // On a touch screen this would bring up the keyboard over what one wants to read.
    if (matchMedia('(pointer: fine)').matches) field.current?.focus();
  }, []);

  const change = (next: string) => {
    text.value = next;
    model.drafts.set(view.id, next);
  };
  const send = () => {
    const message = text.value.trim();
    if (message !== '' && model.send(view.id, message)) change('');
    field.current?.focus();
  };
  const key = (event: KeyboardEvent) => {
    // Enter may end the composition of a character instead.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  };
  return (
    <form class="composer" onSubmit={(event) => { event.preventDefault(); send(); }}>
      <textarea
        ref={field}
        rows={Math.min(MAX_ROWS, text.value.split('\n').length)}
        value={text.value}
        placeholder="Message"
        aria-label={`Message to ${titleOf(view)}. Enter sends, Shift and Enter makes a new line.`}
        onInput={(event) => { change(event.currentTarget.value); if (event.currentTarget.value !== '') model.client.typing(view.id); }}
        onKeyDown={key}
      />
      <button type="submit" class="round primary" aria-label="Send" disabled={text.value.trim() === ''}><Icon name="send" /></button>
    </form>
  );
}
