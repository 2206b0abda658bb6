import { storage } from './storage.js';

const TABS = 'graphiql:tabState'; // where GraphiQL keeps its tabs between visits
const GIVEN = 'examples'; // the examples of the last visit, to tell an edited tab from an untouched one

function read(key) {
  try {
    return JSON.parse(storage.getItem(key));
  } catch {
    return null;
  }
}

/**
 * Renew the tabs nobody has edited since the last visit: the nights in an example lie in the past before long, and an
 * order for them is refused.
 */
function renew(tabs, examples, given) {
  const same = (one, other) => (one ?? '').trim() === (other ?? '').trim();
  return tabs.map((tab) => {
    const untouched = given.find((each) => same(each.query, tab.query) && same(each.variables, tab.variables));
    const example = examples.find((each) => each.title === untouched?.title);
    return example ? { ...tab, query: example.query, variables: example.variables } : tab;
  });
}

/** The props that open the tabs of the last visit, or the examples at the first one. */
export function tabsToOpen(session) {
  const examples = session.tabs.map(({ title, query, variables }) => ({
    title,
    query,
    variables: variables ? JSON.stringify(variables, null, 2) : '',
  }));
  const state = read(TABS);
  let active = examples[0];
  if (state?.tabs?.length) {
    state.tabs = renew(state.tabs, examples, read(GIVEN) ?? []);
    storage.setItem(TABS, JSON.stringify(state));
    active = state.tabs[state.activeTabIndex] ?? state.tabs[0];
  }
  storage.setItem(GIVEN, JSON.stringify(examples));
  return {
    defaultTabs: examples.map(({ query, variables }) => ({ query, variables })),
    // Without these GraphiQL leaves the variables of the first tab and the query of any later one empty at start.
    initialQuery: active?.query ?? '',
    initialVariables: active?.variables ?? '',
  };
}
