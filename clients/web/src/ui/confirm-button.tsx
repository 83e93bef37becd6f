import { useSignal } from '@preact/signals';

/** A button for what can't be undone: it asks by changing its label, and forgets when it loses the focus. */
export function ConfirmButton({ label, describe = label, confirm, small = false, onConfirm }: { label: string; describe?: string; confirm: string; small?: boolean; onConfirm(): void }) {
  const asked = useSignal(false);
  const press = () => {
    if (asked.value) onConfirm();
    asked.value = !asked.value;
  };
  return (
    <button type="button" class={`danger${small ? ' small' : ''}${asked.value ? ' asked' : ''}`} aria-label={asked.value ? `${describe}: ${confirm}` : describe} onClick={press} onBlur={() => (asked.value = false)}>
      {asked.value ? confirm : label}
    </button>
  );
}
