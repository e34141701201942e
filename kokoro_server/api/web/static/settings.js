// How the text is to be spoken: what the form says, remembered between visits.

import { by } from "./dom.js";
import { currentText, setText } from "./text.js";
import { chooseVoice, onVoice, voices } from "./voices.js";

const NAME = "draft";
const KEPT_CHARACTERS = 200_000; // of a draft: localStorage holds five million for everything

/** The fields of a request: text, voice and speed. */
export function currentOrder() {
  return { text: currentText(), voice: blend(), speed: Number(by("speed").value) };
}

/** Put the fields of an order back into the form. */
export function restore(order) {
  setText(order.text);
  by("speed").value = order.speed;
  const [first, second] = partsOf(order.voice);
  chooseVoice("voice", first.voice);
  chooseVoice("second", second?.voice ?? "");
  if (second) by("share").value = second.share;
  show();
  remember();
}

/** What an order's voice is called: "Heart", or "Heart 70 %, Bella 30 %". */
export function nameOf(voice) {
  const [first, second] = partsOf(voice);
  const name = ({ voice }) => voices.get(voice)?.name ?? voice;
  return second ? `${name(first)} ${first.share} %, ${name(second)} ${second.share} %` : name(first);
}

function blend() {
  const [first, second] = [by("voice").dataset.voice, by("second").dataset.voice];
  const share = Number(by("share").value);
  return second ? `${first}(${100 - share})+${second}(${share})` : first;
}

/** The voices of a blend, each with its percentage. */
function partsOf(voice) {
  const parts = voice.split("+").map((part) => part.match(/^([^(]*)(?:\(([\d.]+)\))?$/) ?? [part, part]);
  const weights = parts.map(([, , weight]) => Number(weight ?? 1));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return parts.map(([, name], i) => ({ voice: name, share: Math.round((100 * weights[i]) / sum) }));
}

function show() {
  const speed = Number(by("speed").value);
  by("speed-value").textContent = `${speed.toFixed(2).replace(/0$/, "")}×`;
  by("speed").setAttribute("aria-valuetext", `${speed} times the normal speed`);
  const second = by("second").dataset.voice;
  by("share-field").hidden = !second;
  if (!second) return;
  const balance = nameOf(blend());
  by("share-value").textContent = balance;
  by("share").setAttribute("aria-valuetext", balance);
}

function remember() {
  const order = currentOrder();
  const kept = { ...order, text: order.text.slice(0, KEPT_CHARACTERS), format: by("format").value };
  localStorage.setItem(NAME, JSON.stringify(kept));
}

function begin() {
  const kept = JSON.parse(localStorage.getItem(NAME) ?? "null");
  const known = kept && partsOf(kept.voice).every(({ voice }) => voices.has(voice));
  if (kept) by("format").value = kept.format;
  restore({ ...currentOrder(), text: by("text").dataset.sample, ...kept, ...(!known && { voice: blend() }) });
  for (const id of ["text", "speed", "share", "format"]) {
    by(id).addEventListener("input", () => {
      show();
      remember();
    });
  }
  onVoice(() => {
    show();
    remember();
  });
}

begin();
