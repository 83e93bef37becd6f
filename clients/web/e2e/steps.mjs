// What must work, one step after the other, on one server and with the same people.
import assert from 'node:assert/strict';
import { Person } from './person.mjs';

/**
 * @typedef {object} World
 * @property {import('playwright-core').Browser} browser
 * @property {import('./server.mjs').OwnServer | import('./server.mjs').RunningServer} server
 * @property {(person: Person, name: string) => Promise<void>} shoot
 * @property {string} run makes names of this run its own, so that a server can be used again
 * @property {Person} ann
 * @property {Person} bob
 */

/** What a step gives that needs a server of its own. */
export const LEFT_OUT = Symbol('left out');

/** @type {Array<[string, (world: World) => Promise<void | symbol>]>} */
export const STEPS = [
  ['two people sign in, each in a window of their own', async (world) => {
    const { browser, server, run } = world;
    world.ann = await Person.arrive(browser, server.base, `ann-${run}`);
    await world.shoot(world.ann, 'sign-in');
    await world.ann.signIn();
    world.bob = await Person.arrive(browser, server.base, `bob-${run}`);
    await world.bob.signIn();
    await world.shoot(world.bob, 'empty');
  }],

  ['they chat, and ticks turn from sent over delivered to read', async ({ ann, bob, shoot }) => {
    await ann.startDirect(bob.name);
    await ann.say('hello bob');
    await ann.tick('hello bob', 'delivered');
    await bob.row(ann.name).locator('.badge').waitFor();
    assert.match(await bob.page.title(), /^\(1\) /);
    await bob.open(ann.name);
    await bob.once('hello bob');
    await ann.tick('hello bob', 'read');
    await bob.say('hello ann');
    await ann.once('hello ann');
    await bob.tick('hello ann', 'read');
    assert.doesNotMatch(await bob.page.title(), /^\(/);
    await shoot(ann, 'chat');
  }],

  ['typing and presence show', async ({ ann, bob, shoot }) => {
    await ann.page.locator('.chat .bar-about', { hasText: 'online' }).waitFor();
    await bob.composer().pressSequentially('let me think', { delay: 150 });
    await ann.page.locator('.chat .bar-about', { hasText: 'typing…' }).waitFor();
    await shoot(ann, 'typing');
    await bob.composer().fill('');
    await ann.page.locator('.chat .bar-about', { hasText: 'online' }).waitFor();
  }],

  ['nothing in a message is taken for HTML', async ({ ann, bob }) => {
    const text = '<img src=x onerror="alert(1)"> & <b>bold</b>\nsecond line';
    await ann.composer().fill(text);
    await ann.composer().press('Enter');
    await bob.page.locator('.message .text', { hasText: 'second line' }).waitFor();
    assert.equal(await bob.page.locator('.message .text').last().innerText(), text);
    assert.equal(await bob.page.locator('.message img').count(), 0);
    // So that a policy of `default-src 'self'` holds.
    assert.equal(await bob.page.locator('[style], style, script:not([src])').count(), 0, 'nothing is inline');
  }],

  ['drafts stay where they were typed', async ({ ann, bob, run }) => {
    await ann.composer().fill('a thought for later');
    await ann.startDirect(`carol-${run}`);
    assert.equal(await ann.composer().inputValue(), '');
    await ann.row(bob.name).getByText('Draft:').waitFor();
    await ann.open(bob.name);
    assert.equal(await ann.composer().inputValue(), 'a thought for later');
    await ann.page.reload();
    await ann.online();
    assert.equal(await ann.composer().inputValue(), 'a thought for later');
    await ann.composer().fill('');
  }],

  ['a reload keeps who one is, what was said and how far it got', async ({ ann, bob }) => {
    const before = await ann.texts();
    await ann.page.reload();
    await ann.online();
    await ann.once('hello bob');
    assert.deepEqual(await ann.texts(), before);
    await ann.tick('hello bob', 'read');
    await bob.page.reload();
    await bob.online();
    await bob.once('hello ann');
  }],

  ['long history pages back without losing the place', async ({ ann, bob, shoot }) => {
    for (let count = 1; count <= 90; count++) await ann.say(`line ${count}`);
    await bob.sees('line 90');
    await ann.tick('line 90', 'read');
    await bob.page.reload();
    await bob.sees('line 90');
    assert.equal(await bob.bubble('line 5').count(), 0, 'only the newest page is read at first');
    const list = bob.page.getByRole('log');
    await bob.page.waitForFunction(() => {
      const box = /** @type {HTMLElement} */ (document.querySelector('.messages'));
      return box.scrollHeight - box.scrollTop - box.clientHeight < 5;
    });
    // The first message on the screen stays where it is while older ones come in above.
    await list.evaluate((box) => box.scrollTo(0, 300));
    await bob.bubble('line 5').waitFor({ state: 'attached' });
    await bob.page.waitForFunction(() => /** @type {HTMLElement} */ (document.querySelector('.messages')).scrollTop > 600);
    await shoot(bob, 'history');
    await bob.page.getByRole('button', { name: 'Go to the latest message' }).click();
    await bob.page.getByRole('button', { name: 'Go to the latest message' }).waitFor({ state: 'detached' });
    const texts = await bob.texts();
    assert.deepEqual(texts.slice(-90), Array.from({ length: 90 }, (_, index) => `line ${index + 1}`));
  }],

  ['a group: members, roles, adding, removing, leaving', async ({ ann, bob, browser, server, run, shoot }) => {
    const carol = await Person.arrive(browser, server.base, `carol-${run}`);
    await carol.signIn();
    await ann.start('Group', 'Weekend plans', bob.name);
    await ann.say('who is in?');
    await bob.open('Weekend plans');
    await bob.say('me');
    await ann.page.getByRole('button', { name: 'Members', exact: true }).click();
    await ann.page.getByLabel('Add members').fill(carol.name);
    await ann.page.getByRole('button', { name: 'Add', exact: true }).click();
    await ann.page.locator(`[data-member="${carol.name}"]`).waitFor();
    await ann.tick('who is in?', 'read');
    await ann.say('welcome carol');
    await carol.open('Weekend plans');
    await carol.once('welcome carol');
    assert.equal(await carol.bubble('who is in?').count(), 0, 'what was said before she joined is not hers');
    await ann.page.getByRole('button', { name: `Make ${bob.name} an admin` }).click();
    await ann.page.locator(`[data-member="${bob.name}"]`, { hasText: 'admin' }).waitFor();
    await shoot(ann, 'group');
    await ann.page.getByRole('button', { name: `Remove ${carol.name}` }).click();
    await ann.page.getByRole('button', { name: `Remove ${carol.name}: Sure?` }).click();
    await carol.page.getByText('You are no longer a member').waitFor();
    await carol.row('Weekend plans').waitFor({ state: 'detached' });
    await ann.page.locator(`[data-member="${carol.name}"]`).waitFor({ state: 'detached' });
    await bob.page.getByRole('button', { name: 'Members', exact: true }).click();
    await bob.page.getByRole('button', { name: 'Leave group' }).click();
    await bob.page.getByRole('button', { name: /Really leave/ }).click();
    await bob.row('Weekend plans').waitFor({ state: 'detached' });
    assert.deepEqual(carol.problems, []);
    await carol.context.close();
  }],

  ['a channel: readers get what is posted, and only admins post', async ({ ann, bob }) => {
    await ann.page.getByRole('button', { name: 'New conversation' }).click();
    await ann.page.getByRole('radio', { name: 'Channel' }).check({ force: true });
    await ann.page.getByLabel('Name', { exact: true }).fill('News');
    await ann.page.getByRole('textbox', { name: 'Members', exact: true }).fill(bob.name);
    await ann.page.getByLabel('Only admins post').check();
    await ann.page.getByRole('button', { name: 'Start', exact: true }).click();
    await ann.atChat('News');
    await ann.say('first news');
    await bob.open('News');
    await bob.once('first news');
    await bob.page.getByText('Only admins post here.').waitFor();
    await ann.say('more news');
    await bob.once('more news');
    await ann.open(bob.name);
    await bob.open(ann.name);
  }],

  ['what the server refuses is shown, and can be sent again or given up', async ({ browser, server, run, bob, shoot }) => {
    const dan = await Person.arrive(browser, server.base, `dan-${run}`);
    let refusing = true;
    // Between the page and the server, so that the refusal does not depend on the server's reasons.
    await dan.page.routeWebSocket(/\/v1\/ws$/, (socket) => {
      const upstream = socket.connectToServer();
      socket.onMessage((data) => {
        const frame = JSON.parse(String(data));
        if (frame.type === 'send' && refusing) socket.send(JSON.stringify({ type: 'error', ref: frame.ref, code: 'forbidden', detail: 'only admins post here', retry: 'no' }));
        else upstream.send(data);
      });
    });
    // Routes of sockets hold from the next page on.
    await dan.page.reload();
    await dan.signIn();
    await dan.startDirect(bob.name);
    await dan.say('refused and sent again');
    await dan.say('refused and given up');
    await dan.tick('refused and given up', 'failed');
    await dan.bubble('refused and sent again').getByText('only admins post here').waitFor();
    await shoot(dan, 'failed');
    await dan.bubble('refused and given up').getByRole('button', { name: 'Discard' }).click();
    refusing = false;
    await dan.bubble('refused and sent again').getByRole('button', { name: 'Retry' }).click();
    await dan.tick('refused and sent again', 'delivered');
    assert.deepEqual(await dan.texts(), ['refused and sent again']);
    // What is too long stays in the field.
    const long = 'x'.repeat(17_000);
    await dan.composer().fill(long);
    await dan.composer().press('Enter');
    await dan.page.getByText('at most 16384').waitFor();
    assert.equal(await dan.composer().inputValue(), long);
    assert.deepEqual(dan.problems, []);
    await dan.context.close();
  }],

  ['what came while one was away is marked', async ({ ann, bob, run, shoot }) => {
    await bob.open(`dan-${run}`);
    for (const text of ['did you see this?', 'and this?']) await ann.say(text);
    await bob.row(ann.name).locator('.badge', { hasText: '2' }).waitFor();
    await bob.open(ann.name);
    await bob.page.locator('.unread-line').waitFor();
    assert.equal(await bob.page.locator('.unread-line + .message .text').innerText(), 'did you see this?');
    await shoot(bob, 'unread');
    await ann.tick('and this?', 'read');
  }],

  ['the keyboard alone is enough', async ({ ann, bob }) => {
    const { keyboard } = ann.page;
    await ann.composer().focus();
    await keyboard.type('typed');
    await keyboard.press('Shift+Enter');
    await keyboard.type('in two lines');
    await keyboard.press('Enter');
    await bob.page.locator('.message .text', { hasText: 'in two lines' }).waitFor();
    await keyboard.press('Escape');
    await ann.page.locator('.welcome').waitFor();
    assert.equal(await ann.page.evaluate(() => document.activeElement?.classList.contains('row')), true, 'Escape goes back to where one was in the list');
    await keyboard.press('ArrowDown');
    await keyboard.press('ArrowUp');
    await keyboard.press('Enter');
    await ann.composer().waitFor();
    assert.equal(await ann.page.evaluate(() => document.activeElement?.tagName), 'TEXTAREA', 'one can type at once');
    await keyboard.press('Escape');
    // To the button for a new conversation, from the list backwards.
    for (let count = 0; count < 20; count++) {
      await keyboard.press('Shift+Tab');
      if ((await ann.page.evaluate(() => document.activeElement?.getAttribute('aria-label'))) === 'New conversation') break;
    }
    await keyboard.press('Enter');
    await ann.page.getByRole('dialog').waitFor();
    await keyboard.press('Escape');
    await ann.page.getByRole('dialog').waitFor({ state: 'detached' });
    await ann.open(bob.name);
  }],

  ['a server that restarts properly is come back to', async ({ ann, bob, server }) => {
    if (!server.canRestart) return LEFT_OUT;
    await server.terminate();
    await ann.offline();
    await server.start();
    await ann.online();
    await bob.online();
    await ann.say('after the restart');
    await bob.once('after the restart');
  }],

  ['a server that is killed: the page resumes by itself, and what was typed meanwhile is sent once', async ({ ann, bob, server, shoot }) => {
    if (!server.canRestart) return LEFT_OUT;
    await server.kill();
    await ann.offline();
    await ann.say('typed while it was down');
    await ann.say('and one more');
    await ann.tick('typed while it was down', 'queued');
    await ann.page.locator('.sidebar [data-state=offline]').waitFor();
    await shoot(ann, 'offline');
    // A reload while it is down must not lose them; the page itself is needed again for that, so it comes later.
    await server.start();
    await ann.online();
    await bob.online();
    await bob.sees('and one more');
    await bob.once('typed while it was down');
    await bob.once('and one more');
    await ann.tick('and one more', 'read');
    await ann.once('typed while it was down');
    const texts = await bob.texts();
    assert.ok(texts.indexOf('typed while it was down') < texts.indexOf('and one more'), 'in the order of writing');
    await bob.page.reload();
    await bob.once('typed while it was down');
    assert.deepEqual((await bob.texts()).slice(-2), ['typed while it was down', 'and one more']);
  }],

  ['unsent messages survive a reload', async ({ ann, bob, server }) => {
    if (!server.canRestart) return LEFT_OUT;
    // The socket and the REST calls are kept from the server, the page is not.
    await ann.page.route('**/v1/ws/tickets', (route) => route.abort());
    await server.kill();
    await ann.offline();
    await server.start();
    await ann.say('kept over a reload');
    await ann.page.reload();
    await ann.tick('kept over a reload', 'queued');
    await ann.page.unroute('**/v1/ws/tickets');
    await ann.online();
    await bob.online();
    await bob.once('kept over a reload');
    await ann.tick('kept over a reload', 'read');
    await ann.once('kept over a reload');
  }],

  ['a link that somebody wrote by hand shows the list', async ({ server, ann, bob }) => {
    await ann.page.goto(`${server.base}/#/c/%`);
    await ann.page.reload();
    await ann.row(bob.name).waitFor();
    assert.deepEqual(ann.problems, []);
  }],

  ['on a phone the list and the chat are two screens, in the dark too', async ({ browser, server, run, shoot, bob }) => {
    const phone = await Person.arrive(browser, server.base, `ann-${run}`, { viewport: { width: 390, height: 844 }, hasTouch: true, colorScheme: 'dark' });
    await shoot(phone, 'phone-sign-in');
    await phone.signIn();
    await phone.row(bob.name).waitFor();
    await shoot(phone, 'phone-list');
    await phone.open(bob.name);
    assert.equal(await phone.page.locator('.sidebar').isVisible(), false);
    await phone.composer().waitFor();
    await shoot(phone, 'phone-chat');
    await phone.composer().fill('one\ntwo\nthree\nfour\nfive');
    await phone.page.waitForFunction(() => {
      const box = /** @type {HTMLElement} */ (document.querySelector('.messages'));
      return box.scrollHeight - box.scrollTop - box.clientHeight < 5;
    });
    await shoot(phone, 'phone-writing');
    await phone.composer().fill('');
    assert.equal(await phone.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, 'nothing is wider than the screen');
    await phone.page.getByRole('button', { name: 'Back to conversations' }).click();
    await phone.row(bob.name).waitFor();
    assert.equal(await phone.page.locator('.chat').count(), 0);
    await phone.open('Weekend plans');
    await phone.page.getByRole('button', { name: 'Members', exact: true }).click();
    await phone.page.locator('.member').first().waitFor();
    await shoot(phone, 'phone-members');
    await phone.page.goBack();
    await phone.page.goBack();
    await phone.row(bob.name).waitFor();
    await phone.page.getByRole('button', { name: 'New conversation' }).click();
    await phone.page.getByRole('radio', { name: 'Group' }).check({ force: true });
    await shoot(phone, 'phone-new');
    assert.deepEqual(phone.problems, []);
    await phone.context.close();
  }],

  ['without a development mode a token is asked for', async ({ browser, server, shoot }) => {
    const guest = await Person.arrive(browser, server.base, 'guest');
    await guest.page.route('**/v1/dev/tokens', (route) => route.fulfill({ status: 404, contentType: 'application/problem+json', body: '{"code":"not_found"}' }));
    await guest.page.getByLabel('Your name').fill('guest');
    await guest.page.getByRole('button', { name: 'Sign in' }).click();
    await guest.page.getByLabel('Token').fill('nonsense');
    await guest.page.getByRole('button', { name: 'Sign in' }).click();
    await guest.page.getByText('That is not a JWT').waitFor();
    await shoot(guest, 'token');
    await guest.context.close();
  }],
];
