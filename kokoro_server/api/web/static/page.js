// The page: speaks what stands in the text area, and keeps all that shows it in step.

import { startBooks } from "./books.js";
import { by, clock, inWords, say } from "./dom.js";
import { save } from "./download.js";
import { remember, startHistory } from "./history.js";
import { clearNotice, report } from "./notice.js";
import { Player } from "./player.js";
import { currentOrder } from "./settings.js";
import { startShortcuts } from "./shortcuts.js";
import { Sound } from "./sound.js";
import { speak } from "./speech.js";
import { measured } from "./status.js";
import { light, unlight } from "./text.js";
import { Waveform } from "./waveform.js";

const SAID = { playing: "Playing", paused: "Paused", stopped: "Stopped", ended: "Finished" };
const box = by("player");
const player = new Player();
const waveform = new Waveform(by("waveform"));
let making = null; // the AbortController of what is being made
let seeking = false;

async function start() {
  stop();
  clearNotice();
  const sound = new Sound(currentOrder(), Number(box.dataset.rate));
  const mine = (making = new AbortController());
  player.load(sound); // now, in the click: later the browser would not let it play
  show();
  try {
    await make(sound, mine.signal);
    await remember(sound, hear);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!sound.length) player.stop();
    report(error, start);
  } finally {
    sound.finish();
    if (making === mine) making = null;
    show();
  }
}

async function make(sound, signal) {
  const began = performance.now();
  let first = 0;
  for await (const piece of speak(sound.order, signal)) {
    first ||= performance.now() - began;
    sound.add(piece);
    show();
  }
  sound.finish();
  measured((1000 * sound.seconds) / (performance.now() - began), first / 1000);
}

/** Play a sound that is there already. */
function hear(sound) {
  stop();
  player.load(sound);
  box.scrollIntoView({ block: "nearest" });
}

function stop() {
  making?.abort();
  making = null;
  player.stop();
}

function toggle() {
  if (player.state === "playing") player.pause();
  else player.play();
}

function step(seconds) {
  if (player.sound) player.seek(player.position + seconds);
}

function show() {
  const sound = player.sound;
  const state = player.isWaiting ? "waiting" : player.state;
  const running = player.state === "playing";
  box.dataset.state = state;
  box.dataset.making = String(Boolean(making));
  by("pause").disabled = by("seek").disabled = by("download").disabled = !sound?.length;
  by("pause").setAttribute("aria-label", running ? "Pause" : "Play");
  by("stop").disabled = !making && !["playing", "paused"].includes(player.state);
  by("download").disabled ||= Boolean(making);
  by("playing").textContent = making ? (state === "waiting" ? "Waiting for audio…" : "Synthesizing…") : "";
  draw();
}

/** What moves while it plays. */
function draw() {
  const sound = player.sound;
  const position = player.position;
  const span = sound?.expectedSeconds ?? 0;
  waveform.draw(sound, position, span);
  box.dataset.level = player.level.toFixed(3);
  by("position").textContent = clock(position);
  by("length").textContent = (sound?.finished === false && span ? "about " : "") + clock(span);
  by("seek").max = span;
  if (!seeking) by("seek").value = position;
  by("seek").setAttribute("aria-valuetext", `${inWords(position)} of ${inWords(span)}`);
  if (["playing", "paused"].includes(player.state)) light(sound.order.text, sound.wordAt(position));
  else unlight();
}

function frame() {
  if (player.state === "playing") box.dataset.state === (player.isWaiting ? "waiting" : "playing") ? draw() : show();
  requestAnimationFrame(frame);
}

player.addEventListener("state", () => {
  show();
  say(SAID[player.state] ?? "");
});
by("order").addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
by("pause").addEventListener("click", toggle);
by("stop").addEventListener("click", stop);
by("download").addEventListener("click", () => save(player.sound));
by("seek").addEventListener("input", () => {
  seeking = true;
  player.seek(Number(by("seek").value));
});
by("seek").addEventListener("change", () => { seeking = false; });
document.addEventListener("preview", () => player.pause());
document.addEventListener("theme", draw);
addEventListener("resize", draw);
startShortcuts({ start, stop, toggle, step });
startHistory(hear);
startBooks(currentOrder);
show();
requestAnimationFrame(frame);
