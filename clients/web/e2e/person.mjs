// One window and the person at it, in the words of the page: names, roles and labels, as a user finds them.
import assert from 'node:assert/strict';

const TIMEOUT_MS = 20_000;

export class Person {
  /** @type {string[]} */
  problems = [];

  /**
   * @param {import('playwright-core').Browser} browser
   * @param {string} name
   * @param {import('playwright-core').BrowserContextOptions} [options]
   */
  static async arrive(browser, base, name, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    context.setDefaultTimeout(TIMEOUT_MS);
    const page = await context.newPage();
    const person = new Person(name, page, context);
    page.on('pageerror', (error) => person.problems.push(error.message));
    page.on('console', (message) => {
      // A refused inline script or style is told here; a lost connection is too, but is part of the test.
      if (message.type() === 'error' && /Content Security Policy|Uncaught/i.test(message.text())) person.problems.push(message.text());
    });
    await page.goto(base);
    return person;
  }

  /**
   * @param {string} name
   * @param {import('playwright-core').Page} page
   * @param {import('playwright-core').BrowserContext} context
   */
  constructor(name, page, context) {
    this.name = name;
    this.page = page;
    this.context = context;
  }

  async signIn() {
    await this.page.getByLabel('Your name').fill(this.name);
    await this.page.getByRole('button', { name: 'Sign in' }).click();
    await this.online();
  }

  online() {
    return this.page.locator('.sidebar [data-state=online]').waitFor({ state: 'attached' });
  }

  offline() {
    return this.page.locator('.sidebar [data-state=offline], .sidebar [data-state=connecting]').first().waitFor({ state: 'attached' });
  }

  /** @param {string} peer */
  async startDirect(peer) {
    await this.page.getByRole('button', { name: 'New conversation' }).click();
    await this.page.getByLabel('With').fill(peer);
    await this.page.getByRole('button', { name: 'Start', exact: true }).click();
    await this.atChat(peer);
  }

  /**
   * @param {'Group' | 'Channel'} kind
   * @param {string} name
   * @param {string} members
   */
  async start(kind, name, members) {
    await this.page.getByRole('button', { name: 'New conversation' }).click();
    await this.page.getByRole('radio', { name: kind }).check({ force: true });
    await this.page.getByLabel('Name', { exact: true }).fill(name);
    await this.page.getByRole('textbox', { name: 'Members', exact: true }).fill(members);
    await this.page.getByRole('button', { name: 'Start', exact: true }).click();
    await this.atChat(name);
  }

  /** @param {string} title */
  async atChat(title) {
    await this.page.locator('.chat .bar-title', { hasText: title }).waitFor();
    await this.page.getByRole('log').waitFor();
  }

  /** @param {string} title */
  row(title) {
    return this.page.locator('.row', { has: this.page.locator('.row-title', { hasText: new RegExp(`^${title}$`) }) });
  }

  /** @param {string} title */
  async open(title) {
    await this.row(title).click();
    await this.atChat(title);
  }

  composer() {
    return this.page.getByRole('textbox', { name: /^Message to/ });
  }

  /** @param {string} text */
  async say(text) {
    await this.composer().fill(text);
    await this.composer().press('Enter');
  }

  /** @param {string} text */
  bubble(text) {
    return this.page.locator('.message', { has: this.page.locator('.text', { hasText: new RegExp(`^${escape(text)}$`) }) });
  }

  /** @param {string} text */
  async sees(text) {
    await this.bubble(text).first().waitFor();
  }

  /**
   * @param {string} text
   * @param {'queued' | 'sent' | 'delivered' | 'read' | 'failed'} progress
   */
  async tick(text, progress) {
    await this.bubble(text).locator(`[data-progress=${progress}]`).waitFor();
  }

  async texts() {
    return this.page.locator('.message .text').allInnerTexts();
  }

  /** Shown once, and not more. @param {string} text */
  async once(text) {
    await this.sees(text);
    assert.equal(await this.bubble(text).count(), 1, `${this.name} sees “${text}” once`);
  }
}

/** @param {string} text */
const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
