// Builds elements. Texts are always set as text, never as HTML: names come from users and models.

export const find = (id) => document.getElementById(id);

/** Return a new element with properties and children, which are elements or texts. */
export function make(tag, properties = {}, ...children) {
  const { data = {}, attributes = {}, ...rest } = properties;
  const element = Object.assign(document.createElement(tag), rest);
  Object.assign(element.dataset, data);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Set an element's text if it has changed, so that nothing is drawn or read aloud without need. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Return a number with few digits, or a dash if there is none. */
export function figure(value, digits = 0) {
  return Number.isFinite(value) ? value.toFixed(digits) : "–";
}

/** Return a time of day. */
export function clock(timeS) {
  return new Date(timeS * 1000).toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
}
