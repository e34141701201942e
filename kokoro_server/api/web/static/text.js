// The text area, and behind it the same text in the same place, which gives it its height and lights a word.

import { by } from "./dom.js";

const text = by("text");
const [before, lit, after] = by("mirror").children;
const longest = Number(text.dataset.longest);
const counted = new Intl.NumberFormat();

export function currentText() {
  return text.value;
}

export function setText(value) {
  text.value = value;
  show();
}

/** Show the word from `start` to `end`, while the text is still the one that is spoken. */
export function light(spoken, word) {
  if (!word || text.value !== spoken) return unlight();
  if (lit.dataset.start === String(word.start)) return;
  before.textContent = spoken.slice(0, word.start);
  lit.textContent = spoken.slice(word.start, word.end);
  after.textContent = spoken.slice(word.end) + "\n"; // a last line without letters has its height, too
  lit.dataset.start = word.start;
  keepInView();
}

export function unlight() {
  if (!("start" in lit.dataset)) return;
  delete lit.dataset.start;
  show();
}

/** Say what is wrong with the text, or that nothing is. */
export function mark(wrong) {
  text.toggleAttribute("aria-invalid", wrong);
  if (wrong) text.setAttribute("aria-invalid", "true");
}

/** Scroll to the lit word, unless somebody is reading or writing elsewhere. */
function keepInView() {
  const box = by("scroll");
  if (box.scrollHeight <= box.clientHeight || box.matches(":hover") || document.activeElement === text) return;
  const [inside, word] = [box.getBoundingClientRect(), lit.getBoundingClientRect()];
  if (word.bottom > inside.bottom - 24 || word.top < inside.top) box.scrollTop += word.top - inside.top - inside.height / 3;
}

function show() {
  before.textContent = `${text.value}\n`;
  lit.textContent = after.textContent = "";
  delete lit.dataset.start;
  const length = lengthOf(text.value);
  by("count").textContent = `${counted.format(length)} of ${counted.format(longest)} characters`;
  by("count").classList.toggle("over", length > longest);
}

/** As the server counts: an emoji is one character. */
function lengthOf(value) {
  return value.length - (value.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}

text.addEventListener("input", () => {
  mark(false);
  show();
});
