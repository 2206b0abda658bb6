import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { defineConfig } from 'vite';

/** Monaco makes most of several megabytes; packed once here, no server has to pack them at every visit. */
const packAssets = {
  name: 'pack-assets',
  writeBundle({ dir }) {
    const assets = join(dir, 'assets');
    for (const name of readdirSync(assets).filter((each) => /\.(js|css)$/.test(each))) {
      writeFileSync(join(assets, `${name}.gz`), gzipSync(readFileSync(join(assets, name)), { level: 9 }));
    }
  },
};

export default defineConfig({
  // Absolute, for the page's own address ends without a slash and relative ones would miss the folder.
  base: '/graphiql/',
  oxc: { jsx: { runtime: 'automatic' } },
  // The server puts a new nonce in place of this at every answer.
  html: { cspNonce: '{{nonce}}' },
  build: {
    outDir: 'build',
    // The wheel passes the build on, and with it goes what its authors ask to have said.
    license: { fileName: 'licenses.md' },
    // One answer to "does it fit the policy": a file inlined as data: would ask for a wider one.
    assetsInlineLimit: 0,
    // Monaco is large by nature; a warning about it at every build helps nobody.
    chunkSizeWarningLimit: 8192,
  },
  plugins: [packAssets],
});
