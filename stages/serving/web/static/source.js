// The card of a source: its picture, what the model found, and its numbers.

import { captureForm } from "./capture.js";
import { figure, make, say } from "./dom.js";
import { LivePicture } from "./picture.js";

const OLD_MS = 4000; // a picture that is older is dimmed
const MOST_FOUND = 12;
const STATUSES = {
  starting: ["Starting", "warn"],
  live: ["Live", "good"],
  no_signal: ["No signal", "bad"],
  frozen: ["Frozen", "warn"],
  ended: ["Ended", ""],
  failed: ["Failed", "bad"],
};

export class SourceCard {
  constructor(source, labels) {
    this.source = source;
    this.state = null;
    this.numbers = {};
    this.canvas = make("canvas", {
      width: 640,
      height: 480,
      attributes: { role: "img", "aria-label": `Live picture of ${source}` },
    });
    this.note = make("div", { className: "note", hidden: true }, make("b"), make("span"));
    this.screen = make("div", { className: "screen" }, this.canvas, this.note);
    this.pill = make("p", { className: "pill" }, make("span"));
    this.found = make("ul", {
      className: "found",
      attributes: { "aria-label": `Found in ${source}` },
    });
    this.figures = make("dl", { className: "figures" });
    const top = make(
      "div",
      { className: "top" },
      make("h2", { textContent: source, title: source }),
      this.pill,
    );
    const below = make("div", { className: "below" }, top, this.found, this.figures);
    if (labels) below.append(captureForm(source, labels));
    this.element = make("article", { className: "card source" }, this.screen, below);
    this.picture = new LivePicture(source, this.canvas);
    this.#showFound(null);
    this.#showFigures();
    setInterval(() => this.#showNote(), 1000);
  }

  setState(state) {
    this.state = state;
    const [text, colour] = STATUSES[state.status] ?? [state.status, ""];
    this.pill.className = `pill ${colour}`;
    say(this.pill.firstChild, text);
    if (state.size) this.picture.resize(...state.size);
    if (state.status === "no_signal" || state.status === "failed") this.#showFound(null);
    this.#showFigures();
    this.#showNote();
  }

  setNumbers(numbers) {
    this.numbers = numbers;
    this.#showFigures();
  }

  setUpdate(update) {
    this.#showFound(update.detections);
  }

  /** Shows what was found in the last frame; null: there is no answer. */
  #showFound(detections) {
    const key = JSON.stringify(
      detections?.map(({ label, score, id }) => [label, score?.toFixed(2), id]) ?? null,
    );
    if (key === this.shown) return;
    this.shown = key;
    const best = [...(detections ?? [])]
      .sort((a, b) => (b.score ?? 0) - (a.score ?? 0))
      .slice(0, MOST_FOUND);
    const items = best.map(({ label, score, id }) => {
      const item = make(
        "li",
        { title: label },
        make("span", { textContent: label.replaceAll("_", " ") }),
      );
      const more = [id === null ? "" : `#${id}`, score === null ? "" : `${figure(100 * score)} %`];
      if (more.some(Boolean))
        item.append(make("small", { textContent: more.filter(Boolean).join(" ") }));
      return item;
    });
    const none = detections ? "nothing found" : "no answer";
    if (!items.length) items.push(make("li", { className: "nothing", textContent: none }));
    this.found.replaceChildren(...items);
  }

  #showFigures() {
    const dropped = Object.entries(this.state?.dropped ?? {}).filter(([, count]) => count);
    const causes = dropped.map(([cause, count]) => `${cause}: ${count}`).join(", ");
    const total = dropped.reduce((sum, [, count]) => sum + count, 0);
    const rows = [
      ["Answers", figure(this.state?.fps, 1), "per s"],
      ["Age, median", figure(this.numbers.age_p50_ms), "ms"],
      ["Age, 95 %", figure(this.numbers.age_p95_ms), "ms"],
      ["Skipped", total.toLocaleString(), total === 1 ? "frame" : "frames", causes],
    ];
    while (this.figures.children.length < rows.length)
      this.figures.append(
        make("div", {}, make("dt"), make("dd", {}, make("span"), " ", make("small"))),
      );
    rows.forEach(([name, value, unit, title = ""], at) => {
      const [term, detail] = this.figures.children[at].children;
      say(term, name);
      say(detail.children[0], value);
      say(detail.children[1], unit);
      detail.title = title;
    });
  }

  #showNote() {
    const oldMs = performance.now() - this.picture.drawnMs;
    const status = this.state?.status ?? "starting";
    const isStill = this.state?.type === "folder"; // whose pictures may change slowly
    const isOld = (oldMs > OLD_MS && !isStill) || !this.picture.drawnMs;
    let title = status === "live" ? "" : (STATUSES[status]?.[0] ?? status);
    let why = this.state?.why ?? "";
    if (!title && isOld && this.picture.isVisible) {
      title = this.picture.drawnMs ? "Picture is old" : "Waiting for a picture";
      why = this.picture.drawnMs ? `${figure(oldMs / 1000)} s` : why;
    }
    if (status === "ended" && !isOld) title = "";
    this.note.hidden = !title;
    this.screen.classList.toggle("dim", Boolean(title));
    say(this.note.children[0], title);
    say(this.note.children[1], why);
  }
}
