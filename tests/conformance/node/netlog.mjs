// Chromium's own log of the network: what was asked for and by whom, and where connections went.

import { readFileSync } from 'node:fs';

/**
 * Read a log that the browser has closed.
 *
 * @returns `asked`, the addresses that a page of `origin` has asked for, and `reached`, where bytes can have gone to.
 */
export function read(path, origin) {
  const { constants, events } = JSON.parse(readFileSync(path, 'utf8'));
  const of = (...names) => {
    const types = names.map((name) => constants.logEventTypes[name]);
    return events.filter(({ type, params }) => types.includes(type) && params).map(({ params }) => params);
  };
  return {
    asked: of('URL_REQUEST_START_JOB')
      .filter(({ initiator }) => initiator === origin)
      .map(({ url }) => url),
    reached: [
      ...of('TCP_CONNECT_ATTEMPT').flatMap(({ address }) => address ?? []),
      // A connected UDP socket without a byte sent is how the browser asks its machine for a route.
      ...of('UDP_BYTES_SENT').map(({ address }) => address ?? 'somewhere by UDP'),
    ],
  };
}
