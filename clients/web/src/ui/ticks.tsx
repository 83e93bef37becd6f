const LABELS = { queued: 'waiting to be sent', sent: 'sent', delivered: 'delivered', read: 'read', failed: 'not sent' } as const;

export type Progress = keyof typeof LABELS;

/** A clock, one tick, two ticks, two coloured ticks; told in words to a screen reader. */
export function Ticks({ progress }: { progress: Progress }) {
  return (
    <span class={`ticks ${progress}`} role="img" aria-label={LABELS[progress]} title={LABELS[progress]} data-progress={progress}>
      <svg viewBox="0 0 20 14" width="18" height="13" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
        {progress === 'queued' ? <path d="M10 1.5a5.5 5.5 0 100 11 5.5 5.5 0 000-11zM10 4v3l2 1.5" />
          : progress === 'failed' ? <path d="M10 2v6M10 11.5v.2" />
          : progress === 'sent' ? <path d="M6 7.5l3 3L15.5 3" />
          : <path d="M2 7.5l3 3L11.5 3M9 9.5l1 1L16.5 3" />}
      </svg>
    </span>
  );
}
