// graphql-inspector: whether the schema still offers what the last release did. Before the first release, what the
// contract says; it is the smallest schema that clients may count on.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { CriticalityLevel, diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';
import { run } from './check.mjs';
import { schema } from './product.mjs';

function released() {
  try {
    const tag = git('describe', '--tags', '--abbrev=0').trim();
    return { name: tag, text: git('show', `${tag}:schema.graphql`) };
  } catch {
    const contract = new URL('../../contract/contract.graphql', import.meta.url);
    return { name: 'the contract', text: readFileSync(contract, 'utf8') };
  }
}

function git(...words) {
  return execFileSync('git', words, { cwd: new URL('.', import.meta.url).pathname, encoding: 'utf8', stdio: 'pipe' });
}

const earlier = released();

await run({
  [`nothing that ${earlier.name} offers was broken`]: async () => {
    const changes = await diff(buildSchema(earlier.text), buildSchema(readFileSync(schema, 'utf8')));
    const breaking = changes.filter((change) => change.criticality.level === CriticalityLevel.Breaking);
    assert.equal(breaking.length, 0, breaking.map((change) => change.message).join('\n'));
    return `${changes.length} changes, none breaking`;
  },
});
