// graphql-ws: subscriptions over WebSocket, in the protocol graphql-transport-ws.

import assert from 'node:assert/strict';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { CHANGES, followed, refused } from './changes.mjs';
import { run } from './check.mjs';
import { authorization, endpoint } from './product.mjs';

function connect(connectionParams) {
  const url = endpoint.replace('http', 'ws');
  return createClient({ url, webSocketImpl: WebSocket, connectionParams, retryAttempts: 0 });
}

const guest = connect({ Authorization: authorization });
const follow = (client) => (variables) => client.iterate({ query: CHANGES, variables });

await run({
  'the state now, a change, the end': () => followed(follow(guest)),

  'two streams on one connection': async () => {
    await Promise.all([followed(follow(guest)), followed(follow(guest))]);
  },

  'a query on the connection': async () => {
    for await (const { data } of guest.iterate({ query: '{ userHomestayOrderList(first: 1) { nodes { tradeState } } }' })) {
      assert.equal(data.userHomestayOrderList.nodes.length, 1);
    }
  },

  'without a token, a refusal': async () => {
    assert.ok(['UNAUTHENTICATED', 4401, 4403].includes(await refused(follow(connect({})))));
  },

  'with a forged token, a refusal': async () => {
    const forged = connect({ Authorization: `${authorization}x` });
    assert.ok(['UNAUTHENTICATED', 4401, 4403].includes(await refused(follow(forged))));
  },
});
