import { hue, initials } from '../format';
import { Icon } from './icon';

export function Avatar({ name, kind, online = false }: { name: string; kind?: 'direct' | 'group' | 'channel'; online?: boolean }) {
  return (
    <span class={`avatar hue-${hue(name)}${kind === 'group' || kind === 'channel' ? ' square' : ''}`} aria-hidden="true">
      {kind === 'channel' ? <Icon name="channel" /> : initials(name)}
      {online ? <span class="online-dot" /> : null}
    </span>
  );
}
