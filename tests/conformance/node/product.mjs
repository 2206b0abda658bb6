// The product that the tools are run against: where it is, who we are there, and what we order.

import assert from 'node:assert/strict';

export const endpoint = process.env.CONFORMANCE_ENDPOINT;
export const orderService = process.env.CONFORMANCE_ORDER_SERVICE;
export const authorization = `Bearer ${process.env.CONFORMANCE_TOKEN}`;

/** A header without which the product answers no GET: it makes a browser ask first whether another site may send it. */
export const preflight = { 'GraphQL-Require-Preflight': '1' };

export const schema = new URL('../../../schema.graphql', import.meta.url).pathname;

const DAY = 24 * 60 * 60 * 1000;
let night = Date.parse(process.env.CONFORMANCE_FIRST_NIGHT);

/** Two nights for two with food, at 718.00 yuan; no two stays share a night. */
export function stay() {
  const dates = [night, night + 2 * DAY].map((day) => new Date(day).toISOString().slice(0, 10));
  night += 2 * DAY;
  return { homestayId: '1', liveStartDate: dates[0], liveEndDate: dates[1], livePeopleNum: 2, needFood: true };
}

/** Send an operation as simply as can be, for what a check needs but is not about. */
export async function ask(query, variables) {
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(5_000),
  });
  const { data, errors } = await answer.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

/** Place an order and give its sn. */
export async function place() {
  const operation =
    'mutation ($input: CreateHomestayOrderInput!) { createHomestayOrder(input: $input) { order { sn } userErrors { code } } }';
  const { createHomestayOrder } = await ask(operation, { input: stay() });
  assert.deepEqual(createHomestayOrder.userErrors, []);
  return createHomestayOrder.order.sn;
}

/** Give an order up. */
export async function cancel(sn) {
  const operation = 'mutation ($sn: ID!) { cancelHomestayOrder(sn: $sn) { userErrors { code } } }';
  const { cancelHomestayOrder } = await ask(operation, { sn });
  assert.deepEqual(cancelHomestayOrder.userErrors, []);
}
