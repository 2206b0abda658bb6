const element = (id) => document.getElementById(id);
const [query, variables, token, run] = ['query', 'variables', 'token', 'run'].map(element);

let endpoint = '/graphql';
let examples = [];
let open = null; // the example on show
let running = null; // aborts the request on its way

function show(status, text, failed = false) {
  element('status').textContent = status;
  element('answer').textContent = text;
  element('answer').classList.toggle('failed', failed);
}

/** Put an example into the fields, and what was in them back to where it came from. */
function choose(example) {
  if (open) Object.assign(open, { query: query.value, variables: variables.value });
  open = example;
  query.value = example.query;
  variables.value = example.variables;
  query.setSelectionRange(0, 0); // the caret goes to the end otherwise, and the text after it
  query.scrollTop = 0;
  for (const each of examples) each.button.setAttribute('aria-pressed', String(each === example));
}

function offer(tab) {
  const button = document.createElement('button');
  const text = tab.variables ? JSON.stringify(tab.variables, null, 2) : '';
  const example = { query: tab.query, variables: text, button };
  button.type = 'button';
  button.textContent = tab.title;
  button.addEventListener('click', () => choose(example));
  element('examples').append(button);
  return example;
}

function requestOf() {
  const accepted = ['application/graphql-response+json', 'application/json'];
  if (/^\s*subscription\b/m.test(query.value)) accepted.unshift('text/event-stream');
  const headers = { 'Content-Type': 'application/json', Accept: accepted.join(', ') };
  const given = token.value.trim();
  if (given) headers.Authorization = `Bearer ${given}`;
  const body = { query: query.value };
  if (variables.value.trim()) {
    try {
      body.variables = JSON.parse(variables.value);
    } catch (error) {
      variables.focus();
      throw new Error(`The variables are not JSON: ${error.message}`);
    }
  }
  return { method: 'POST', headers, body: JSON.stringify(body) };
}

function inForm(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Show what comes of a subscription, until its end or until something else is run. */
async function follow(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    text += part.value;
    const events = [...text.matchAll(/^data: (.+)$/gm)].map(([, data]) => inForm(data.trim()));
    show(`${answer.status} ${answer.statusText} · ${events.length} so far`, events.reverse().join('\n\n'));
  }
}

async function send() {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  run.setAttribute('aria-busy', 'true');
  const start = performance.now();
  try {
    const answer = await fetch(endpoint, { ...requestOf(), signal: mine.signal });
    if (answer.headers.get('Content-Type').startsWith('text/event-stream')) {
      await follow(answer);
      return;
    }
    const text = await answer.text();
    const took = Math.round(performance.now() - start);
    show(`${answer.status} ${answer.statusText} · ${took} ms`, inForm(text), !answer.ok);
  } catch (error) {
    if (mine.signal.aborted) return;
    show('not sent', error.message, true);
  } finally {
    if (running === mine) run.removeAttribute('aria-busy');
  }
}

async function start() {
  try {
    const answer = await fetch('/graphiql/session.json', { cache: 'no-store' });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    const session = await answer.json();
    endpoint = session.endpoint;
    token.value = session.token ?? '';
    examples = session.tabs.map(offer);
    if (examples.length) choose(examples[0]);
  } catch (error) {
    show('', `The examples could not be loaded: ${error.message}.`, true);
  }
}

run.addEventListener('click', send);
document.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    send();
  }
});
start();
