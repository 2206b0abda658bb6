// graphql-sse: subscriptions over Server-Sent Events, each in a request of its own (distinct connections).

import assert from 'node:assert/strict';
import { createClient } from 'graphql-sse';
import { CHANGES, followed, refused } from './changes.mjs';
import { run } from './check.mjs';
import { authorization, endpoint } from './product.mjs';

const connect = (headers) => createClient({ url: endpoint, headers, retryAttempts: 0 });

const guest = connect({ authorization });
const follow = (client) => (variables) => client.iterate({ query: CHANGES, variables });

await run({
  'the state now, a change, the end': () => followed(follow(guest)),

  'two streams at once': async () => {
    await Promise.all([followed(follow(guest)), followed(follow(guest))]);
  },

  'without a token, a refusal': async () => {
    assert.equal(await refused(follow(connect({}))), 'UNAUTHENTICATED');
  },
});
