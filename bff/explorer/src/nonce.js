// Monaco and the dialogs write their styles into <style> elements of their own making and know nothing of nonces.
// Handing each of them the page's nonce spares the policy an 'unsafe-inline' for style elements.
const { nonce } = document.querySelector('meta[property="csp-nonce"]');
const createElement = document.createElement.bind(document);

document.createElement = (name, options) => {
  const element = createElement(name, options);
  if (element instanceof HTMLStyleElement) element.nonce = nonce;
  return element;
};
