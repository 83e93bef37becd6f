// Whatever the network does: each message once, in the order of writing, and a copy that equals the history.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VerbatimClient } from '../src/index.js';
import { fixture, phase, settle, type AnyFrame, type FakeSocket } from './harness.js';

const STEPS = 150;
const SEEDS = 40;

function random(seed: number): (below: number) => number {
  let state = seed * 2_654_435_761 + 1;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
}

async function run(seed: number): Promise<void> {
  const pick = random(seed);
  const { clock, server, again, persistence } = fixture();
  server.room('c1');
  let calm = false;

  // Frames get lost on either way, and answers with them; a loss always ends in a closed socket, as TCP has it.
  const lossy = (socket: FakeSocket, frame: AnyFrame): boolean => {
    if (calm || frame.type === 'hello') return false;
    const fate = pick(10);
    if (fate < 2 && frame.type === 'send') {
      server.ack({ push: () => {}, server } as never, frame, false);
      socket.drop(1006);
      return true;
    }
    if (fate === 2) {
      socket.drop(1006);
      return true;
    }
    if (fate === 3 && frame.type === 'send') {
      socket.push({ type: 'error', ref: frame.ref as string, code: 'outcome_unknown', detail: 'unknown', retry: 'same_id' });
      return true;
    }
    return false;
  };
  server.onFrame = lossy;

  let client: VerbatimClient = again();
  const revs: number[] = [];
  const listen = () => client.events.on('entry', (entry) => revs.push(entry.rev));
  listen();
  client.start();
  await settle();
  void client.open('c1');
  await settle();

  const written: string[] = [];
  for (let step = 0; step < STEPS; step++) {
    switch (pick(8)) {
      case 0:
      case 1:
        written.push(`a${step}`);
        client.send('c1', `a${step}`);
        break;
      case 2:
        server.say('c1', 'bob', `b${step}`);
        break;
      case 3:
        // On a live socket nothing is skipped; what is missed belongs to a lost connection.
        server.say('c1', 'bob', `missed${step}`, { push: false });
        server.socket.drop(1006);
        break;
      case 4:
        if (pick(8) === 0) {
          client.stop();
          client = again();
          revs.length = 0;
          listen();
          client.start();
          void client.open('c1');
        }
        break;
      case 5: {
        // Twice is as good as once.
        const entries = server.rooms.get('c1')!.entries;
        server.socket.push({ type: 'entry', ...entries[pick(entries.length)]! });
        break;
      }
      default:
        await clock.advance(pick(3_000));
    }
    await settle();
  }

  calm = true;
  for (let round = 0; round < 60 && (phase(client) !== 'online' || client.unsent().length > 0); round++) await clock.advance(10_000);
  await clock.advance(30_000);
  const history = server.messages('c1');
  assert.deepEqual(history.filter((message) => message.sender === 'ann').map((message) => message.text), written, `seed ${seed}: each once, in order`);
  assert.deepEqual(persistence.load('verbatim.'), [], `seed ${seed}: nothing is left over`);
  const copy = client.copy('c1')!.messages;
  assert.deepEqual(copy.map((message) => message.seq), history.slice(-copy.length).map((message) => message.seq), `seed ${seed}: no hole, nothing twice`);
  assert.equal(copy.at(-1)?.id, history.at(-1)?.id, `seed ${seed}: up to the head`);
  assert.deepEqual(revs, [...new Set(revs)].sort((a, b) => a - b), `seed ${seed}: entries are told in order`);
}

for (let seed = 1; seed <= SEEDS; seed++) test(`a bad network, seed ${seed}`, () => run(seed));
