// The voices: choosing one, or one to blend it with, and hearing what they sound like.

import { by, say } from "./dom.js";
import { report } from "./notice.js";
import { Player } from "./player.js";
import { Sound } from "./sound.js";
import { speak } from "./speech.js";

const dialog = by("voices");
const radios = [...dialog.querySelectorAll("input[name=speaker]")];
const changed = new EventTarget();
const player = new Player();
const heard = new Map(); // a voice's preview, once it was made
let choosing = "voice"; // or "second"
let making = null;

/** What is known of each voice: name, language, code. */
export const voices = new Map(radios.filter((radio) => radio.value).map((radio) => [radio.value, { ...radio.dataset }]));

export function onVoice(listener) {
  changed.addEventListener("change", listener);
}

/** Choose the voice of "voice" or "second"; "" is none. */
export function chooseVoice(field, voice) {
  by(field).dataset.voice = voice;
  if (field === "voice" && !blends(voice, by("second").dataset.voice)) chooseVoice("second", "");
  const known = voices.get(voice);
  by(field).querySelector(".named").textContent = known?.name ?? "None";
  by(field).querySelector("small").textContent = known?.language ?? "";
  if (field === "voice") by("text").lang = known?.code ?? ""; // for spelling, and the right Han characters
  changed.dispatchEvent(new Event("change"));
}

/** Whether two voices go together: those of one language do, and all English ones. */
function blends(first, second) {
  const tongue = (voice) => voices.get(voice)?.code.split("-")[0];
  return !second || tongue(first) === tongue(second);
}

function open(field) {
  choosing = field;
  by("voices-title").textContent = field === "voice" ? "Voice" : "Blend with";
  const first = by("voice").dataset.voice;
  for (const radio of radios) {
    radio.checked = radio.value === by(field).dataset.voice;
    const fits = field === "voice" ? radio.value : blends(first, radio.value) && radio.value !== first;
    radio.closest(".speaker").classList.toggle("unfit", !fits);
  }
  by("filter").value = "";
  find();
  dialog.showModal();
  const chosen = radios.find((radio) => radio.checked);
  chosen?.focus();
  chosen?.scrollIntoView({ block: "center" });
}

function find() {
  const words = by("filter").value.toLowerCase().split(/\s+/);
  for (const speaker of dialog.querySelectorAll(".speaker")) {
    const known = (speaker.dataset.find ?? "").toLowerCase();
    speaker.hidden = speaker.classList.contains("unfit") || !words.every((word) => known.includes(word));
  }
  for (const group of dialog.querySelectorAll("fieldset")) group.hidden = !group.querySelector(".speaker:not([hidden])");
  by("none-found").hidden = Boolean(dialog.querySelector(".speaker:not([hidden])"));
}

async function preview(button) {
  const voice = button.dataset.voice;
  const again = button.getAttribute("aria-pressed") === "true";
  hush();
  if (again) return;
  document.dispatchEvent(new Event("preview"));
  button.setAttribute("aria-pressed", "true");
  say(`Playing a preview of ${voices.get(voice).name}`);
  if (heard.has(voice)) player.load(heard.get(voice));
  else await make(button);
}

async function make(button) {
  const order = { text: button.dataset.greeting, voice: button.dataset.voice };
  const sound = new Sound(order, Number(by("player").dataset.rate));
  const mine = (making = new AbortController());
  player.load(sound);
  try {
    for await (const piece of speak(order, mine.signal)) sound.add(piece);
    sound.finish();
    heard.set(order.voice, sound);
  } catch (error) {
    if (error.name === "AbortError") return;
    dialog.close();
    report(error);
  }
}

function hush() {
  making?.abort();
  making = null;
  player.stop();
}

player.addEventListener("state", () => {
  dialog.dataset.preview = player.state;
  if (player.state === "playing") return;
  for (const button of dialog.querySelectorAll(".preview")) button.setAttribute("aria-pressed", "false");
});
dialog.addEventListener("close", hush);
dialog.addEventListener("click", (event) => {
  const button = event.target.closest(".preview");
  if (button) preview(button);
  else if (event.target === dialog) dialog.close(); // beside it
});
for (const radio of radios) radio.addEventListener("change", () => chooseVoice(choosing, radio.value));
for (const field of ["voice", "second"]) by(field).addEventListener("click", () => open(field));
by("filter").addEventListener("input", find);
