// The status corner: how the server is, and how fast its last answer came.

import { Unreachable, request } from "./api.js";
import { by } from "./dom.js";

const EVERY = 5000; // milliseconds
const corner = by("status");

/** Tell how fast an answer was: seconds of sound for each second of waiting, and seconds to the first sound. */
export function measured(pace, first) {
  const shown = `${pace.toFixed(1)} × real time`;
  tell("last", shown);
  tell("first", `${first.toFixed(2)} s`);
  corner.querySelector(".pace").textContent = shown;
}

async function look() {
  if (document.hidden) return;
  try {
    show(await (await request("health", { ask: false })).json());
  } catch (error) {
    enter("away", error instanceof Unreachable ? "Server not reachable" : error.title);
  }
}

function show({ engine, workers = 1, ready = workers, busy = 0, waiting = 0 }) {
  tell("engine", engine);
  tell("workers", `${ready} of ${workers}`);
  tell("busy", busy);
  tell("waiting", waiting);
  if (waiting) enter("full", `${waiting} queued`);
  else if (busy) enter("busy", "Synthesizing");
  else if (ready) enter("ready", "Ready");
  else enter("full", "Starting");
}

function enter(state, text) {
  corner.dataset.state = state;
  corner.querySelector(".state").textContent = text;
}

function tell(name, text) {
  corner.querySelector(`[data-is=${name}]`).textContent = text;
}

setInterval(look, EVERY);
document.addEventListener("visibilitychange", look);
look();
