import type { Message, OutboxItem } from '@verbatim/client';
import { clockTime, fullTime, hue } from '../format';
import { useModel } from './context';
import { Ticks, type Progress } from './ticks';

export function Bubble({ message, own, joined, named, progress }: { message: Message; own: boolean; joined: boolean; named: boolean; progress: Progress | null }) {
  return (
    <li class={`message${own ? ' own' : ''}${joined ? ' joined' : ''}`} data-seq={message.seq}>
      <div class="bubble">
        {named ? <span class={`sender hue-text-${hue(message.sender)}`}>{message.sender}</span> : <span class="unseen">{own ? 'You' : message.sender}: </span>}
        {message.deleted_at ? <span class="text deleted">Message deleted</span> : <Text text={message.text} />}
        <span class="meta">
          {message.edited_at && !message.deleted_at ? <span>edited</span> : null}
          <time dateTime={message.created_at} title={fullTime(message.created_at)}>{clockTime(message.created_at)}</time>
          {progress ? <Ticks progress={progress} /> : null}
        </span>
      </div>
    </li>
  );
}

export function UnsentBubble({ item, joined }: { item: OutboxItem; joined: boolean }) {
  const { client } = useModel();
  const failed = item.state === 'failed';
  return (
    <li class={`message own unsent${joined ? ' joined' : ''}${failed ? ' failed' : ''}`} data-key={item.key}>
      <div class="bubble">
        <span class="unseen">You: </span>
        <Text text={item.text} />
        <span class="meta">
          <time title={fullTime(item.queued_at)}>{clockTime(item.queued_at)}</time>
          <Ticks progress={failed ? 'failed' : 'queued'} />
        </span>
      </div>
      {failed ? (
        <div class="failure" role="alert">
          <span>Not sent: {item.error?.detail}</span>
          <button type="button" class="small" onClick={() => client.retrySend(item.key)}>Retry</button>
          <button type="button" class="small" onClick={() => client.discardSend(item.key)}>Discard</button>
        </div>
      ) : null}
    </li>
  );
}

const LINK = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]/g;

/** Text as text, with links; never as HTML. */
function Text({ text }: { text: string }) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    parts.push(text.slice(from, match.index), <a href={match[0]} target="_blank" rel="noopener noreferrer nofollow">{match[0]}</a>);
    from = match.index + match[0].length;
  }
  return <span class="text">{parts}{text.slice(from)}</span>;
}
