// Short names for the few things the page does with elements.

export const byId = (id) => document.getElementById(id);

/** Make an element: `on` holds listeners, `vars` CSS custom properties, the rest are attributes. */
export function make(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  fill(element, props);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** The same for SVG, which has a namespace of its own. */
export function draw(tag, props = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(element, props);
  element.append(...children);
  return element;
}

function fill(element, { on = {}, vars = {}, ...attributes }) {
  for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
  // Through the CSSOM: the content security policy forbids style attributes.
  for (const [name, value] of Object.entries(vars)) element.style.setProperty(name, value);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value);
    }
  }
}

/** Say something to a screen reader without moving the focus. */
export function say(text) {
  byId("live").textContent = text;
}

/** Show a message above everything, with at most one thing to do about it. */
export function notify(text, action = null) {
  const place = byId("notice");
  place.replaceChildren();
  if (!text) return;
  const close = make("button", { type: "button", class: "quiet", "aria-label": "Close the message", on: { click: () => notify("") } }, "×");
  const act = action && make("button", { type: "button", on: { click: () => { notify(""); action.run(); } } }, action.label);
  place.append(make("div", { class: "notice" }, make("p", {}, text), act, close));
}

export function debounce(wait_ms, run) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...args), wait_ms);
  };
}
