// What every client of `homestayOrderChanged` must see, whatever carries it.

import assert from 'node:assert/strict';
import { cancel, place } from './product.mjs';

export const CHANGES = 'subscription ($sn: ID!) { homestayOrderChanged(sn: $sn) { sn tradeState } }';

/**
 * Follow an order of its own until it is cancelled: the state it is in, the change, and the end of the stream.
 *
 * @param follow gives an async iterator of the answers for `{ sn }`.
 */
export async function followed(follow) {
  const sn = await place();
  const answers = follow({ sn });
  assert.deepEqual(await next(answers), { sn, tradeState: 'WAIT_PAY' });
  await cancel(sn);
  assert.deepEqual(await next(answers), { sn, tradeState: 'CANCELLED' });
  // Nothing comes after a cancelled order, so the server ends the stream.
  const { done, value } = await answers.next();
  assert.equal(done, true, `after the end: ${JSON.stringify(value)}`);
}

async function next(answers) {
  const { done, value } = await answers.next();
  assert.equal(done, false, 'the stream has ended');
  assert.equal(value.errors, undefined, JSON.stringify(value.errors));
  return value.data.homestayOrderChanged;
}

/** Follow an order without being allowed to, and give the code of the refusal. */
export async function refused(follow) {
  const sn = await place();
  try {
    for await (const { errors } of follow({ sn })) {
      assert.ok(errors, 'an answer without an error');
      return errors[0].extensions.code;
    }
  } catch (error) {
    // The connection itself was refused, or the operation: as an array of errors, or as an event of closing.
    return (Array.isArray(error) ? error[0] : error).extensions?.code ?? error.code;
  }
  assert.fail('the stream has ended without a word');
}
