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

const SILENCE = 40000; // the server says something every 15 s, if only that it is still here
const health = document.querySelector("[data-now]");
const asOf = health.querySelector("[data-as-of]");
const ahead = Date.parse(asOf.querySelector("time").dateTime) - Date.now(); // the network's clock of this machine's
let wait = 1000;

// `live`, `lost` or `still`: nothing of this will change any more. What is not live says of when it is.
function tell(now, heard) {
  const at = new Date(heard + ahead).toISOString().slice(0, 19);
  const time = document.createElement("time");
  time.dateTime = `${at}Z`;
  time.textContent = at.slice(11);
  asOf.replaceChildren("as of ", time);
  health.dataset.now = now;
  lost.hidden = now !== "lost";
}

function connect() {
  const source = new EventSource(path);
  let heard = Date.now();
  let silence;
  const hears = () => {
    heard = Date.now();
    clearTimeout(silence);
    silence = setTimeout(() => {
      source.close();
      lose();
    }, SILENCE);
  };
  const lose = () => {
    if (health.dataset.now !== "lost") tell("lost", heard);
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    clearTimeout(silence);
    wait = Math.min(2 * wait, 30000);
    setTimeout(connect, wait);
  };
  source.addEventListener("open", () => {
    hears();
    tell("live", heard);
    wait = 1000;
  });
  source.addEventListener("parts", (event) => {
    hears();
    show(JSON.parse(event.data));
  });
  source.addEventListener("here", hears);
  source.addEventListener("end", () => {
    clearTimeout(silence);
    source.close();
    tell("still", Date.now());
  });
  source.addEventListener("error", lose);
}

connect();
