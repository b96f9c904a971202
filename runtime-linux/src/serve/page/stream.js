// Frames from the server, over a WebSocket: the JSON of an observation, then its picture. Each is answered when it is on the screen; the
// server sends no more than two ahead, so a slow page gets fewer frames and never old ones.

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 5000;

export class Stream {
  // `show(observation, bitmap)` draws, `status(status)` tells how all is, `fault(text)` why there is no stream (null when there is one).
  constructor({ show, status, fault }) {
    Object.assign(this, { show, status, fault });
    this.socket = null;
    this.paused = false;
    this.retry = FIRST_RETRY_MS;
    document.addEventListener("visibilitychange", () => this.follow());
  }

  pause(paused) {
    this.paused = paused;
    this.follow();
  }

  // Opens or closes the stream: nobody looks at a page that is hidden.
  follow() {
    const wanted = !this.paused && !document.hidden;
    if (wanted && !this.socket) this.open();
    if (!wanted && this.socket) this.close();
  }

  close() {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  open() {
    clearTimeout(this.timer);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/api/stream`);
    socket.binaryType = "blob";
    this.socket = socket;
    let pending = null;
    // Pictures are decoded one after another, so that frames stay in order.
    let last = Promise.resolve();
    socket.onopen = () => {
      this.retry = FIRST_RETRY_MS;
      this.fault(null);
    };
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") {
        const observation = pending;
        last = last.then(() => this.draw(socket, observation, data));
        return;
      }
      const message = JSON.parse(data);
      if (message.type === "observation") pending = message;
      else this.status(message);
    };
    socket.onclose = () => {
      if (this.socket === socket) this.reopen();
    };
  }

  async draw(socket, observation, blob) {
    if (this.socket !== socket) return;
    const picture = new Blob([blob], { type: "image/jpeg" });
    const bitmap = blob.size > 0 ? await createImageBitmap(picture).catch(() => null) : null;
    await new Promise(requestAnimationFrame);
    if (this.socket === socket) {
      this.show(observation, bitmap);
      if (socket.readyState === WebSocket.OPEN) socket.send(String(observation.number));
    }
    bitmap?.close();
  }

  async reopen() {
    this.socket = null;
    this.fault(await reason());
    this.timer = setTimeout(() => this.follow(), this.retry);
    this.retry = Math.min(2 * this.retry, LAST_RETRY_MS);
  }
}

// Why there is no stream: a browser does not tell a page what a WebSocket was answered.
async function reason() {
  try {
    const response = await fetch("/api/status");
    if (response.status === 401) return "This page needs a token: open the address that microtome serve printed.";
    return response.ok ? "The stream was interrupted; trying again." : `The server answered ${response.status}.`;
  } catch {
    return "The server does not answer; trying again.";
  }
}
