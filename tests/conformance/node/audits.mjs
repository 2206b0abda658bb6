// The audits of npm's graphql-http: what the GraphQL-over-HTTP specification demands of a server, and recommends.

import assert from 'node:assert/strict';
import { serverAudits } from 'graphql-http';
import { run } from './check.mjs';
import { endpoint, preflight } from './product.mjs';

const KNOWN = 61; // audits of the pinned version: fewer were left out, and nobody would see it

const audits = serverAudits({
  url: endpoint,
  fetchFn: (url, options) => fetch(url, { ...options, headers: { ...options?.headers, ...preflight } }),
});
assert.ok(audits.length >= KNOWN, `${audits.length} audits`);

async function pass(audit) {
  const { status, reason } = await audit.fn();
  // A recommendation that is not followed is a warning there. Here it counts.
  assert.equal(status, 'ok', reason);
}

await run(Object.fromEntries(audits.map((audit) => [`${audit.id} ${audit.name}`, () => pass(audit)])));
