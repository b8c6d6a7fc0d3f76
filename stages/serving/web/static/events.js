// The list of events, the newest first, with their snapshots and clips.

import { clock, find, make } from "./dom.js";

const MOST = 100;
const RETRY_MS = 1500; // a snapshot's file may be written after its event

const items = new Map(); // number -> element

export function clearEvents() {
  items.clear();
  find("events").replaceChildren();
  find("no-events").hidden = false;
}

export function showEvent(event) {
  const item = itemOf(event);
  const old = items.get(event.number);
  if (old) old.replaceWith(item);
  else find("events").prepend(item);
  items.set(event.number, item);
  find("no-events").hidden = true;
  for (const [number, element] of items) {
    if (items.size <= MOST) break;
    items.delete(number);
    element.remove();
  }
}

function itemOf(event) {
  const hasEnded = event.state === "ended";
  const item = make("li", { className: hasEnded ? "ended" : "began" });
  const time = make("time", {
    textContent: clock(event.time_s),
    dateTime: new Date(event.time_s * 1000).toISOString(),
  });
  item.append(make("span", { className: "text", textContent: event.text }), time);
  const where = [event.rule, event.source, hasEnded ? "ended" : ""].filter(Boolean).join(" · ");
  item.append(make("span", { className: "where", textContent: where }));
  if (event.clip)
    item.append(
      make("a", {
        href: path(event.clip),
        target: "_blank",
        textContent: "Clip",
        attributes: { "aria-label": `Clip: ${event.text}` },
      }),
    );
  if (event.snapshot && !hasEnded) item.append(snapshot(event));
  return item;
}

function snapshot(event) {
  const image = make("img", {
    alt: `Snapshot: ${event.text}`,
    loading: "lazy",
    src: path(event.snapshot),
  });
  const link = make(
    "a",
    { className: "media", href: path(event.snapshot), target: "_blank" },
    image,
  );
  let isRetried = false;
  image.addEventListener("error", () => {
    if (isRetried) return link.remove();
    isRetried = true;
    setTimeout(() => (image.src = `${path(event.snapshot)}?again`), RETRY_MS);
  });
  return link;
}

const path = (name) => `/snapshots/${encodeURIComponent(name)}`;
