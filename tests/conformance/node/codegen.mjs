// graphql-codegen: TypeScript from our schema and a client's operations (typed/), and what the compiler says to its use.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { codegen } from '@graphql-codegen/core';
import * as typedDocumentNode from '@graphql-codegen/typed-document-node';
import * as typescript from '@graphql-codegen/typescript';
import * as typescriptOperations from '@graphql-codegen/typescript-operations';
import { buildSchema, parse } from 'graphql';
import { run } from './check.mjs';
import { schema } from './product.mjs';

const here = (path) => new URL(path, import.meta.url).pathname;
const read = (path) => readFileSync(path, 'utf8');

const operations = here('typed/operations.graphql');
const scalars = {
  BigInt: { input: 'number | string', output: 'number' },
  Date: 'string',
  DateTime: 'string',
};

/** Generate as its command line does from a configuration with these plugins. */
async function generate(name, plugins, documents) {
  const filename = here(`typed/__generated__/${name}`);
  const text = await codegen({
    filename,
    schema: parse(read(schema)),
    schemaAst: buildSchema(read(schema)),
    documents,
    config: { scalars, strictScalars: true, useTypeImports: true },
    plugins: Object.keys(plugins).map((each) => ({ [each]: {} })),
    pluginMap: plugins,
  });
  writeFileSync(filename, text);
  return `${text.split('\n').length} lines`;
}

mkdirSync(here('typed/__generated__'), { recursive: true });

await run({
  'types of the whole schema': () => generate('schema.ts', { typescript }, []),

  'types of operations, and documents that carry them': () => {
    const documents = [{ location: operations, document: parse(read(operations)) }];
    return generate('operations.ts', { typescriptOperations, typedDocumentNode }, documents);
  },

  'a client compiles, and only where it is right': async () => {
    try {
      execFileSync('node', [here('node_modules/typescript/bin/tsc'), '-p', here('typed')], { stdio: 'pipe', encoding: 'utf8' });
    } catch (error) {
      throw new Error(error.stdout || error.message);
    }
  },
});
