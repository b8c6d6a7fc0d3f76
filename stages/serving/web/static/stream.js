// The server-sent events: connects again by itself, and says how old the last message is.

const SILENT_MS = 6000; // numbers come every 2 s
const RETRY_MS = [500, 1000, 2000, 4000, 8000];

export class Stream {
  /**
   * handlers: by the name of a message; onStatus: "live", "silent" or "lost", and for how many seconds;
   * place: the identifier of the last event that is known, so that none is lost.
   */
  constructor(handlers, onStatus, place) {
    this.handlers = handlers;
    this.onStatus = onStatus;
    this.tries = 0;
    this.place = place;
    this.heardMs = performance.now();
    document.addEventListener("visibilitychange", () => this.#show());
    addEventListener("online", () => this.#open());
    setInterval(() => this.#check(), 1000);
    this.#open();
  }

  #open() {
    this.close();
    if (document.hidden) return;
    const source = new EventSource(`/api/stream?after=${encodeURIComponent(this.place)}`);
    this.source = source;
    for (const [name, handle] of Object.entries(this.handlers)) {
      source.addEventListener(name, (message) => {
        this.heardMs = performance.now();
        this.tries = 0;
        if (message.lastEventId) this.place = message.lastEventId;
        handle(JSON.parse(message.data));
        this.#check();
      });
    }
    source.onerror = () => this.#again(source);
  }

  async #again(source) {
    if (source !== this.source) return;
    this.close(); // a browser does not try again after an error status
    const waitMs = RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)];
    this.timer = setTimeout(() => this.#open(), waitMs);
    this.onStatus("lost", this.#silentS());
    const answer = await fetch("/api/updates", { method: "HEAD" }).catch(() => null);
    if (answer?.status === 401) location.replace("/"); // the token has changed
  }

  #check() {
    if (document.hidden) return;
    const silentS = this.#silentS();
    if (!this.source) this.onStatus("lost", silentS);
    else this.onStatus(silentS * 1000 > SILENT_MS ? "silent" : "live", silentS);
    if (this.source && silentS * 1000 > 3 * SILENT_MS) this.#open();
  }

  #show() {
    if (document.hidden)
      this.close(); // a page that nobody sees costs nothing
    else {
      this.heardMs = performance.now();
      this.#open();
    }
  }

  #silentS() {
    return Math.round((performance.now() - this.heardMs) / 1000);
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}
