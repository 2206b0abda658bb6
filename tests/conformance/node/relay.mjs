// Relay: its compiler on our schema and an application's documents (relay/src), and its runtime on the server.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import relay from 'relay-runtime';
import { run } from './check.mjs';
import { ask, place } from './product.mjs';

const { Environment, Network, RecordSource, Store, commitMutation, createOperationDescriptor, fetchQuery } = relay;
const { getSelector, getRequest } = relay;
const require = createRequire(import.meta.url);
const here = (path) => new URL(path, import.meta.url).pathname;

function compile() {
  // It takes the paths of its configuration from where it is started.
  const where = { cwd: here('relay'), stdio: 'pipe', encoding: 'utf8' };
  execFileSync('node', [here('node_modules/relay-compiler/cli.js')], where);
}

const compiled = (name) => require(`./relay/__generated__/${name}.graphql.js`);

const environment = new Environment({
  network: Network.create(async ({ text }, variables) => ({ data: await ask(text, variables) })),
  store: new Store(new RecordSource()),
});

const fetched = (name, variables) => fetchQuery(environment, compiled(name), variables).toPromise();

/** What a component that shows this fragment is given. */
function shown(fragment, reference) {
  return environment.lookup(getSelector(compiled(fragment), reference)).data;
}

/** The list as it is shown once its first page was asked for, with whatever was asked for since. */
function list() {
  const page = createOperationDescriptor(getRequest(compiled('ordersPageQuery')), { count: 2 });
  return shown('orders_list', environment.lookup(page.fragment).data).userHomestayOrderList;
}

const states = () => list().edges.map(({ node }) => shown('orders_order', node).tradeState);

let placed;

await run({
  'the compiler accepts schema and documents': async () => {
    rmSync(here('relay/__generated__'), { recursive: true, force: true });
    mkdirSync(here('relay/__generated__'));
    try {
      compile();
    } catch (error) {
      throw new Error(error.stdout || error.stderr || error.message);
    }
    return `${readdirSync(here('relay/__generated__')).length} artifacts`;
  },

  'an order can be asked for again as a node': async () => {
    const { text } = compiled('ordersAgainQuery').params;
    assert.match(text, /node\(id: \$id\)/);
  },

  'the list grows page by page': async () => {
    placed = [await place(), await place(), await place()].reverse();
    await fetched('ordersPageQuery', { count: 2 });
    assert.deepEqual(list().edges.map(({ node }) => node.sn), placed.slice(0, 2));
    const { hasNextPage, endCursor } = list().pageInfo;
    assert.equal(hasNextPage, true);
    await fetched('ordersMoreQuery', { count: 2, cursor: endCursor });
    assert.deepEqual(list().edges.map(({ node }) => node.sn), placed);
    assert.equal(list().pageInfo.hasNextPage, false);
  },

  'a mutation changes the list that is shown': async () => {
    await new Promise((onCompleted, onError) => {
      commitMutation(environment, { mutation: compiled('ordersCancelMutation'), variables: { sn: placed[1] }, onCompleted, onError });
    });
    assert.deepEqual(states(), ['WAIT_PAY', 'CANCELLED', 'WAIT_PAY']);
  },

  'an order looked at again is as it is now': async () => {
    await ask('mutation ($sn: ID!) { cancelHomestayOrder(sn: $sn) { userErrors { code } } }', { sn: placed[0] });
    assert.deepEqual(states(), ['WAIT_PAY', 'CANCELLED', 'WAIT_PAY']);
    const [{ node }] = list().edges;
    await fetched('ordersAgainQuery', { id: node.__id });
    assert.deepEqual(states(), ['CANCELLED', 'CANCELLED', 'WAIT_PAY']);
  },
});
