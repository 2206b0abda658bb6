import './nonce.js';
import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import '@graphiql/plugin-explorer/style.css';
import './page.css';

import { explorerPlugin } from '@graphiql/plugin-explorer';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';

import { storage } from './storage.js';
import { tabsToOpen } from './tabs.js';

// GraphiQL's history is left out: it writes the headers, and with them the token, into the browser's storage.
const plugins = [explorerPlugin({ showAttribution: false })];

async function fetchSession() {
  const answer = await fetch('/graphiql/session.json', { cache: 'no-store' });
  if (!answer.ok) throw new Error(`the server answered ${answer.status} to session.json`);
  return answer.json();
}

function Page({ fetcher, headers, tabs }) {
  return (
    <GraphiQL
      fetcher={fetcher}
      storage={storage}
      plugins={plugins}
      defaultHeaders={headers}
      shouldPersistHeaders={false} // a kept token would be out of date at the next visit, and in the way of a new one
      {...tabs}
    >
      <GraphiQL.Logo>Homestay</GraphiQL.Logo>
    </GraphiQL>
  );
}

async function start() {
  const root = document.querySelector('#root');
  try {
    const session = await fetchSession();
    // A socket has no headers; those of the editor, and with them the token, go along when it is opened.
    const socket = new URL(session.endpoint, location.href);
    socket.protocol = socket.protocol.replace('http', 'ws');
    const fetcher = createGraphiQLFetcher({ url: session.endpoint, subscriptionUrl: socket.href });
    // They fill every tab, one of the last visit too, for GraphiQL does not keep headers.
    const headers = session.token ? JSON.stringify({ Authorization: `Bearer ${session.token}` }, null, 2) : undefined;
    createRoot(root).render(<Page fetcher={fetcher} headers={headers} tabs={tabsToOpen(session)} />);
  } catch (error) {
    root.querySelector('.notice').textContent = `GraphiQL could not start: ${error.message}.`;
  }
}

start();
