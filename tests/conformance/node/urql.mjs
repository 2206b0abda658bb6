// urql: it lists text/event-stream in its Accept header on every request, and means JSON unless it subscribes.

import assert from 'node:assert/strict';
import { Client, cacheExchange, fetchExchange, gql } from '@urql/core';
import { map, pipe, takeWhile, toAsyncIterable } from 'wonka';
import { CHANGES, followed } from './changes.mjs';
import { run } from './check.mjs';
import { authorization, endpoint, preflight, stay } from './product.mjs';

function visit(options) {
  const sent = [];
  const client = new Client({
    url: endpoint,
    exchanges: [cacheExchange, fetchExchange],
    fetchOptions: () => ({ headers: { authorization, ...preflight } }),
    fetch: async (url, request) => {
      const answer = await fetch(url, request);
      sent.push({ method: request.method, accept: request.headers.accept, type: answer.headers.get('content-type') });
      return answer;
    },
    ...options,
  });
  return { client, sent };
}

const HOMESTAY = gql`
  query ($id: ID!) {
    homestay(id: $id) {
      id
      title
      homestayPrice {
        amount
      }
    }
  }
`;
const PLACE = gql`
  mutation ($input: CreateHomestayOrderInput!) {
    createHomestayOrder(input: $input) {
      order {
        id
        tradeState
      }
      userErrors {
        code
      }
    }
  }
`;
const LIST = gql`
  {
    userHomestayOrderList(first: 1) {
      nodes {
        id
      }
    }
  }
`;

async function seen({ client, sent }) {
  const { data, error } = await client.query(HOMESTAY, { id: '1' }).toPromise();
  assert.equal(error, undefined);
  assert.equal(data.homestay.homestayPrice.amount, '299.00');
  assert.match(sent[0].accept, /text\/event-stream/);
  assert.match(sent[0].type, /json/);
  return sent[0].method;
}

await run({
  'a query is answered in JSON': async () => `sent by ${await seen(visit())}`,

  'a query by GET': async () => assert.equal(await seen(visit({ preferGetMethod: 'force' })), 'GET'),

  'a query by POST': async () => assert.equal(await seen(visit({ preferGetMethod: false })), 'POST'),

  'a mutation places an order': async () => {
    const { data, error } = await visit().client.mutation(PLACE, { input: stay() }).toPromise();
    assert.equal(error, undefined);
    assert.deepEqual(data.createHomestayOrder.userErrors, []);
    assert.equal(data.createHomestayOrder.order.tradeState, 'WAIT_PAY');
  },

  'a guest without a token is refused with a code': async () => {
    const { client } = visit({ fetchOptions: { headers: preflight } });
    const { error } = await client.query(LIST, {}).toPromise();
    assert.equal(error.networkError, undefined);
    assert.equal(error.graphQLErrors[0].extensions.code, 'UNAUTHENTICATED');
  },

  'a subscription by Server-Sent Events': async () => {
    const { client } = visit({ fetchSubscriptions: true });
    await followed((variables) => {
      const answers = pipe(
        client.subscription(CHANGES, variables),
        // It tells the end of a stream by its last result once more, marked so.
        takeWhile(({ hasNext }) => hasNext),
        map(({ data, error }) => ({ data, errors: error?.graphQLErrors })),
        toAsyncIterable,
      );
      return answers[Symbol.asyncIterator]();
    });
  },
});
