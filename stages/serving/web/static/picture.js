// A live picture: asks for the next one when the last is drawn, so that it is always the newest, and a slow
// network gets fewer. It stops while it is not visible.

const RETRY_MS = 1000;
const MOST = 4; // pictures that are waited for at once: browsers open six connections to a server

let count = 0; // of pictures on the page
let busy = 0;
const queue = [];

export class LivePicture {
  constructor(source, canvas) {
    this.url = `/pictures/${encodeURIComponent(source)}.jpg`;
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.drawnMs = 0; // when the last picture was drawn
    this.isVisible = true;
    new IntersectionObserver((entries) => {
      this.isVisible = entries.at(-1).isIntersecting;
      this.wake?.();
    }).observe(canvas);
    document.addEventListener("visibilitychange", () => this.wake?.());
    count += 1;
    this.#run();
  }

  /** Keep the place of a picture before it arrives. */
  resize(height, width) {
    if (this.drawnMs || !height || !width) return;
    this.canvas.width = width;
    this.canvas.height = height;
  }

  async #run() {
    let after = "";
    for (;;) {
      if (document.hidden || !this.isVisible) await new Promise((wake) => (this.wake = wake));
      try {
        after = (await turn(() => this.#next(after))) ?? after;
      } catch {
        await new Promise((wake) => setTimeout(wake, RETRY_MS));
      }
    }
  }

  async #next(after) {
    const wait = count > MOST ? 0.5 : 8; // a source without pictures must not keep others waiting
    const answer = await fetch(`${this.url}?wait=${wait}${after && `&after=${after}`}`);
    if (!answer.ok) throw new Error(answer.status);
    if (answer.status === 204) return null;
    const picture = await createImageBitmap(await answer.blob());
    if (this.canvas.width !== picture.width || this.canvas.height !== picture.height) {
      this.canvas.width = picture.width;
      this.canvas.height = picture.height;
    }
    this.context.drawImage(picture, 0, 0);
    picture.close();
    this.drawnMs = performance.now();
    return answer.headers.get("X-Frame");
  }
}

/** Run the work when one of the few turns is free. */
async function turn(work) {
  if (busy >= MOST) await new Promise((start) => queue.push(start));
  busy += 1;
  try {
    return await work();
  } finally {
    busy -= 1;
    queue.shift()?.();
  }
}
