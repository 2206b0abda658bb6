// Apollo Client, as a web page would set it up: cache, errors, GET, persisted queries.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { run } from './check.mjs';
import { authorization, endpoint, preflight, stay } from './product.mjs';

const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const possibleTypes = {
  UserError: ['InputError', 'DatesUnavailableError', 'InvalidTransitionError', 'PriceChangedError', 'RateLimitedError'],
};

/** A client with a cache of its own, and a note of what it has sent. */
function visit({ persisted, ...options } = {}) {
  const sent = [];
  const http = new HttpLink({
    uri: endpoint,
    headers: { authorization, ...preflight },
    fetch: (url, request) => {
      sent.push({ method: request.method, url: new URL(url), body: request.body && JSON.parse(request.body) });
      return fetch(url, request);
    },
    ...options,
  });
  const link = persisted ? new PersistedQueryLink({ sha256, ...persisted }).concat(http) : http;
  return { client: new ApolloClient({ link, cache: new InMemoryCache({ possibleTypes }) }), sent };
}

const QUOTE = gql`
  query Quote($homestay: ID!, $from: Date!, $to: Date!) {
    homestayQuote(homestayId: $homestay, liveStartDate: $from, liveEndDate: $to, livePeopleNum: 2, needFood: true) {
      nights
      orderTotalPrice {
        amount
        currency
      }
    }
  }
`;
const PLACE = gql`
  mutation Place($input: CreateHomestayOrderInput!) {
    createHomestayOrder(input: $input) {
      order {
        id
        sn
        tradeState
        orderTotalPrice {
          amountMinor
        }
      }
      userErrors {
        code
        message
        field
        ... on DatesUnavailableError {
          nights
        }
      }
    }
  }
`;
const CANCEL = gql`
  mutation Cancel($sn: ID!) {
    cancelHomestayOrder(sn: $sn) {
      order {
        id
        tradeState
        closeReason
      }
      userErrors {
        code
      }
    }
  }
`;
const LIST = gql`
  query List {
    userHomestayOrderList(first: 5) {
      nodes {
        id
        sn
        tradeState
      }
    }
  }
`;

const quoted = stay();
const variables = { homestay: quoted.homestayId, from: quoted.liveStartDate, to: quoted.liveEndDate };
const price = { __typename: 'Money', amount: '718.00', currency: 'CNY' };

async function quote(client) {
  const { data, error } = await client.query({ query: QUOTE, variables, fetchPolicy: 'network-only' });
  assert.equal(error, undefined);
  assert.deepEqual(data.homestayQuote.orderTotalPrice, price);
}

/** What a query that must fail fails with. */
async function refused(options, query) {
  const { error } = await visit(options).client.query({ query, errorPolicy: 'all' });
  assert.ok(CombinedGraphQLErrors.is(error), `not an answer of GraphQL: ${error}`);
  const { code, requestId } = error.errors[0].extensions;
  assert.match(requestId, /^\S+$/);
  return code;
}

const guest = visit().client;
const input = stay();
let order;

await run({
  'a query is answered': () => quote(guest),

  'queries go by GET': async () => {
    const { client, sent } = visit({ useGETForQueries: true });
    await quote(client);
    assert.deepEqual(sent.map((each) => each.method), ['GET']);
  },

  'a mutation places an order': async () => {
    const { data } = await guest.mutate({ mutation: PLACE, variables: { input } });
    assert.deepEqual(data.createHomestayOrder.userErrors, []);
    order = data.createHomestayOrder.order;
    assert.equal(order.tradeState, 'WAIT_PAY');
    assert.equal(order.orderTotalPrice.amountMinor, 71800);
  },

  'a refused mutation is data, with the extras of its kind': async () => {
    const { data, error } = await guest.mutate({ mutation: PLACE, variables: { input } });
    assert.equal(error, undefined);
    assert.equal(data.createHomestayOrder.order, null);
    const [problem] = data.createHomestayOrder.userErrors;
    assert.equal(problem.__typename, 'DatesUnavailableError');
    assert.equal(problem.code, 'DATES_UNAVAILABLE');
    assert.equal(problem.nights[0], input.liveStartDate);
  },

  'the cache knows an order again by its id': async () => {
    const before = await guest.query({ query: LIST });
    assert.equal(before.data.userHomestayOrderList.nodes[0].tradeState, 'WAIT_PAY');
    await guest.mutate({ mutation: CANCEL, variables: { sn: order.sn } });
    const after = await guest.query({ query: LIST, fetchPolicy: 'cache-only' });
    assert.equal(after.data.userHomestayOrderList.nodes[0].tradeState, 'CANCELLED');
  },

  'a guest without a token is refused with a code': async () => {
    assert.equal(await refused({ headers: {} }, LIST), 'UNAUTHENTICATED');
  },

  'an unknown field is refused with a code': async () => {
    assert.equal(await refused({}, gql`{ nobodyHasThisField }`), 'GRAPHQL_VALIDATION_FAILED');
  },

  'a persisted query is sent once, and by its hash from then on': async () => {
    const { client, sent } = visit({ persisted: {} });
    await quote(client);
    await quote(client);
    assert.deepEqual(sent.map((each) => 'query' in each.body), [false, true, false]);
    assert.ok(sent.every((each) => each.method === 'POST'));
    assert.equal(sent[0].body.extensions.persistedQuery.version, 1);
  },

  'a persisted query goes by GET when its hash is enough': async () => {
    const { client, sent } = visit({ persisted: { useGETForHashedQueries: true } });
    await quote(client);
    await quote(client);
    assert.equal(sent.at(-1).method, 'GET');
    assert.equal(sent.at(-1).url.searchParams.has('query'), false);
  },

  'a mutation can be persisted, and never goes by GET': async () => {
    const { client, sent } = visit({ persisted: { useGETForHashedQueries: true } });
    const { data } = await client.mutate({ mutation: PLACE, variables: { input: stay() } });
    assert.deepEqual(data.createHomestayOrder.userErrors, []);
    assert.deepEqual(sent.map((each) => each.method), ['POST', 'POST']);
  },

  'an unknown hash is answered in the exact words of the protocol': async () => {
    const { error } = await ask({ sha256Hash: sha256('{ __typename } # never sent') });
    assert.equal(error.message, 'PersistedQueryNotFound');
    assert.equal(error.extensions.code, 'PERSISTED_QUERY_NOT_FOUND');
  },

  'a hash of something else is refused, and not kept': async () => {
    const sha256Hash = sha256('{ __typename } # something else');
    const { error } = await ask({ sha256Hash }, '{ __typename }');
    assert.equal(typeof error.extensions.code, 'string');
    assert.equal((await ask({ sha256Hash })).error.message, 'PersistedQueryNotFound');
  },
});

/** A request of the protocol by hand. */
async function ask({ sha256Hash }, query) {
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization },
    body: JSON.stringify({ query, extensions: { persistedQuery: { version: 1, sha256Hash } } }),
  });
  const { errors } = await answer.json();
  assert.equal(errors?.length, 1, 'it was answered without an error');
  return { error: errors[0] };
}
