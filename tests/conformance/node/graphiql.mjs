// GraphiQL as a visitor meets it, in Debian's Chromium: operations from the opened tabs, a subscription from another,
// and nothing that leaves the machine, neither of the page nor of the browser itself.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { chromium } from 'playwright-core';
import { run } from './check.mjs';
import { read } from './netlog.mjs';
import { cancel, endpoint, place } from './product.mjs';

const BROWSER = process.env.CONFORMANCE_BROWSER ?? '/usr/bin/chromium';
const PATIENCE = 10_000; // ms until something has appeared on a busy machine
const SETTLE = 1000; // milliseconds, about what a visitor's hand takes
const ORIGIN = new URL(endpoint).origin;
const OURS = new RegExp(`^(http|ws)://${new URL(endpoint).host}/`);
const INSIDE = /^(about|blob|data):/;

const screenshots = new URL('__generated__', import.meta.url).pathname;
const profile = mkdtempSync(join(tmpdir(), 'homestay-graphiql-'));
const log = join(profile, 'net.json');

const context = await chromium.launchPersistentContext(join(profile, 'user'), {
  executablePath: BROWSER,
  viewport: { width: 1400, height: 900 },
  args: [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    `--log-net-log=${log}`,
  ],
});
context.setDefaultTimeout(PATIENCE);
const page = await context.newPage();
const problems = [];
const requests = [];
page.on('pageerror', (error) => problems.push(error.message));
page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
context.on('request', (request) => requests.push(request.url()));
page.on('websocket', (socket) => requests.push(socket.url()));

let tabs;

await run({
  'the page opens with its tabs': async () => {
    await page.goto(new URL('/graphiql', endpoint).href);
    await page.waitForSelector('.graphiql-container');
    const session = await page.request.get(new URL('/graphiql/session.json', endpoint).href);
    ({ tabs } = await session.json());
    assert.equal(await page.getByRole('tab').count(), tabs.length);
    return `${tabs.length} tabs, Chromium ${context.browser()?.version() ?? '(unknown)'}`;
  },

  // The page's visitor is the guest whose token is filled in, and ours too: it sees our orders.
  'a query from a tab is answered': async () => {
    const sn = await place();
    await open('MyOrders');
    await execute();
    await answered(sn);
  },

  'a query with variables typed in is answered': async () => {
    const sn = await place();
    await open('OneOrder');
    await type({ sn });
    await execute();
    await answered(sn);
    return screenshot('graphiql.png');
  },

  'a subscription from a tab is answered, and followed': async () => {
    const tab = tabs.find(({ query }) => /^\s*subscription\b/m.test(query));
    assert.ok(tab, 'no tab subscribes');
    const sn = await place();
    await open(/subscription\s+(\w+)/.exec(tab.query)[1]);
    await type({ ...tab.variables, sn });
    await execute();
    await answered('WAIT_PAY');
    await cancel(sn);
    await answered('CANCELLED');
    return screenshot('graphiql-subscription.png');
  },

  'the page breaks none of its own rules': async () => assert.deepEqual(problems, []),

  'no request leaves the machine': async () => {
    await context.close();
    const { asked, reached } = read(log, ORIGIN);
    rmSync(profile, { recursive: true, force: true });
    const all = [...requests, ...asked].filter((url) => !INSIDE.test(url));
    assert.ok(asked.length > 5 && reached.length > 0, `${asked.length} requests were seen`);
    assert.deepEqual(all.filter((url) => !OURS.test(url)), []);
    assert.deepEqual(reached.filter((address) => !address.startsWith('127.0.0.1:')), []);
    return `${asked.length} requests of the page, 0 to others; ${reached.length} connections, 0 to others`;
  },
});

async function open(name) {
  await page.getByRole('tab', { name, exact: true }).click();
  // The editor follows a moment later; and another one later GraphiQL has read which operation stands there. Asked
  // before, it sends the name of the one before.
  await page.locator('.graphiql-query-editor .view-lines').getByText(name).first().waitFor();
  await page.waitForTimeout(SETTLE);
}

async function execute() {
  await page.getByRole('button', { name: /^Execute query/ }).click();
}

async function answered(text) {
  await page.locator('.graphiql-response').getByText(text).first().waitFor();
}

/** Type variables in the place of those that are there. */
async function type(variables) {
  await page.locator('.graphiql-editor-tool .view-lines').first().click();
  await page.keyboard.press('Control+A');
  await page.keyboard.insertText(JSON.stringify(variables));
  // What the editor has closed by itself behind the cursor, the text has closed already.
  await page.keyboard.press('Control+Shift+End');
  await page.keyboard.press('Delete');
}

async function screenshot(name) {
  mkdirSync(screenshots, { recursive: true });
  const path = join(screenshots, name);
  await page.screenshot({ path });
  return relative('.', path);
}
