// graphql-inspector: whether the schema still offers what the version that was cut last did. That one's is kept beside
// the contract: a clone may have no tags, and what can't be compared must not look as if it had been.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { CriticalityLevel, diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';
import { run } from './check.mjs';
import { schema } from './product.mjs';

const KEPT = 'tests/contract/released.graphql';
const released = readFileSync(new URL(`../../../${KEPT}`, import.meta.url), 'utf8');
const version = /^# The schema of (\d+\.\d+\.\d+),/.exec(released)?.[1];
assert.ok(version, `${KEPT} does not say which version it is of`);

await run({
  [`nothing that ${version} offers was broken`]: async () => {
    const changes = await diff(buildSchema(released), buildSchema(readFileSync(schema, 'utf8')));
    const breaking = changes.filter((change) => change.criticality.level === CriticalityLevel.Breaking);
    assert.equal(breaking.length, 0, breaking.map((change) => change.message).join('\n'));
    return `compared with ${KEPT}: ${changes.length} changes, none breaking`;
  },
});
