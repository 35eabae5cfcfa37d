// Keeps the page of a running campaign up to date: the server sends the HTML of the parts that changed, and only
// what differs in them is touched, so that focus, selection and what moves stay as they are.

const lost = document.querySelector("[data-lost]");
const path = document.querySelector("[data-live]").dataset.live;

function patch(old, next) {
  if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName) {
    old.replaceWith(next);
  } else if (old.nodeType === Node.ELEMENT_NODE) {
    for (const name of old.getAttributeNames()) if (!next.hasAttribute(name)) old.removeAttribute(name);
    for (const name of next.getAttributeNames())
      if (old.getAttribute(name) !== next.getAttribute(name)) old.setAttribute(name, next.getAttribute(name));
    patchInside(old, next);
  } else if (old.data !== next.data) {
    old.data = next.data;
  }
}

// What has a key (a line that others may push down) is found again by it; all else by its place.
function patchInside(old, next) {
  const keyed = new Map([...old.children].map((child) => [child.dataset.key, child]));
  let here = old.firstChild;
  for (const child of [...next.childNodes]) {
    const key = child.dataset?.key;
    const same = key ? keyed.get(key) : here?.dataset?.key ? null : here;
    if (same && same === here) here = here.nextSibling;
    else old.insertBefore(same ?? child, here);
    if (same) patch(same, child);
  }
  while (here) {
    const gone = here;
    here = here.nextSibling;
    gone.remove();
  }
}

function show(parts) {
  const focus = document.activeElement;
  for (const [name, html] of Object.entries(parts)) {
    const template = document.createElement("template");
    template.innerHTML = html;
    patchInside(document.querySelector(`[data-part="${name}"]`), template.content);
  }
  if (document.activeElement !== focus) focus.focus({ preventScroll: true }); // a browser drops it from what it moves
}

let wait = 1000;

function connect() {
  const source = new EventSource(path);
  source.addEventListener("open", () => {
    lost.hidden = true;
    wait = 1000;
  });
  source.addEventListener("parts", (event) => show(JSON.parse(event.data)));
  source.addEventListener("end", () => source.close());
  source.addEventListener("error", () => {
    lost.hidden = false;
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    wait = Math.min(2 * wait, 30000);
    setTimeout(connect, wait);
  });
}

connect();
