// The live page: gets the state once, and then every change from the stream.

import { showQuestion } from "./ask.js";
import { figure, find, make, say } from "./dom.js";
import { clearEvents, showEvent } from "./events.js";
import { SourceCard } from "./source.js";
import { Stream } from "./stream.js";

const RETRY_MS = 2000;

const cards = new Map(); // source -> SourceCard
const workers = new Map(); // wanted accelerator -> state
let boot = "";
let machine = {};

async function begin() {
  const answer = await fetch("/api/state").catch(() => null);
  if (answer?.status === 401) return location.replace("/");
  if (!answer?.ok) return setTimeout(begin, RETRY_MS);
  const state = await answer.json();
  showSummary(state);
  state.workers.forEach(setWorker);
  state.sources.forEach((one) => cards.get(one.source)?.setState(one));
  setNumbers(state.numbers);
  const place = await readEvents();
  new Stream(
    { hello, update, source, worker: setWorker, numbers: setNumbers, event: showEvent },
    showStatus,
    place,
  );
}

function showSummary({ summary, captures }) {
  const name = summary.name.replaceAll("_", " ");
  document.title = name;
  say(find("title"), name);
  const count = summary.labels.length;
  const classes = count && `${count} ${count === 1 ? "class" : "classes"}`;
  const version = summary.version && `version ${summary.version.slice(0, 8)}`;
  say(find("subtitle"), [summary.task, classes, version].filter(Boolean).join(" · "));
  for (const one of summary.sources) {
    const labels = captures && [...new Set([...captures, ...summary.labels])];
    const card = new SourceCard(one, labels);
    cards.set(one, card);
    find("sources").append(card.element);
  }
  find("sources").classList.toggle("one", summary.sources.length === 1);
  find("events").parentElement.hidden = !summary.sources.length;
  if (summary.sources.length) document.querySelector("aside").append(find("question")); // a side matter
  showQuestion(summary);
}

/** Show the events so far, and return the identifier of the last one. */
async function readEvents() {
  const answer = await fetch("/api/events?most=1000").catch(() => null);
  if (!answer?.ok) return "";
  const { boot, events } = await answer.json();
  clearEvents();
  events.slice(-100).forEach(showEvent);
  return `${boot}.${events.at(-1)?.number ?? 0}`;
}

function hello(message) {
  if (boot && boot !== message.boot) return location.reload(); // the server has started again
  boot = message.boot;
}

function update(message) {
  cards.get(message.source)?.setUpdate(message);
}

function source(message) {
  cards.get(message.source)?.setState(message);
}

function setWorker(state) {
  workers.set(state.wanted, state);
  showBanners();
  showDevice();
}

function setNumbers({ sources, machine: values }) {
  for (const [name, card] of cards) card.setNumbers(sources[name] ?? {});
  machine = values;
  showBanners();
  showDevice();
}

function showBanners() {
  const found = [];
  for (const { status, why, called } of workers.values()) {
    if (status === "fallback")
      found.push(["warn", `The CPU has taken over from the ${called}`, why]);
    if (status === "restarting")
      found.push(["warn", `The ${called} does not answer; it is being restarted`, why]);
    if (status === "failed") found.push(["bad", "The model does not answer", why]);
  }
  if (machine.undervoltage)
    found.push(["warn", "The supply voltage is too low", "use a stronger power supply"]);
  if (machine.throttled)
    found.push(["warn", "The processor is slowed down", "because of heat or power"]);
  const key = JSON.stringify(found);
  if (key === find("banners").dataset.shown) return;
  find("banners").dataset.shown = key;
  find("banners").replaceChildren(
    ...found.map(([colour, text, why]) =>
      make("p", {
        className: `banner ${colour}`,
        textContent: why ? `${text}: ${why}` : `${text}.`,
      }),
    ),
  );
}

function showDevice() {
  const rows = [];
  for (const { ran_on, called, restarts, memory_mb } of workers.values()) {
    rows.push(["Runs on", ran_on || called, true]);
    if (restarts) rows.push(["Restarts", String(restarts)]);
    if (machine.memory_mb === undefined) rows.push(["Memory", `${figure(memory_mb)} MB`]);
  }
  if (machine.temperature_c !== undefined)
    rows.push(["Temperature", `${figure(machine.temperature_c, 1)} °C`]);
  if (machine.memory_mb !== undefined) rows.push(["Memory", `${figure(machine.memory_mb)} MB`]);
  const list = find("device");
  const key = JSON.stringify(rows);
  if (key === list.dataset.shown) return;
  list.dataset.shown = key;
  list.replaceChildren(
    ...rows.map(([name, value, isWide]) =>
      make(
        "div",
        { className: isWide ? "wide" : "" },
        make("dt", { textContent: name }),
        make("dd", { textContent: value }),
      ),
    ),
  );
}

function showStatus(status, silentS) {
  const [colour, text] = {
    live: ["good", "Connected"],
    silent: ["warn", `No news for ${silentS} s`],
    lost: ["bad", silentS > 2 ? `No connection for ${silentS} s` : "Reconnecting"],
  }[status];
  find("connection").className = `pill ${colour}`;
  say(find("connection").firstChild, text);
}

begin();
