// Draws a sound as bars: what was heard in the accent colour, what is still to be made as a faint line.

import { PEAKS_A_SECOND } from "./sound.js";

const BAR = 3; // CSS pixels, the gap included
const GAP = 1;
const QUIETEST = 0.04; // of the height: a rest is still a dot

export class Waveform {
  #canvas;
  #drawn = "";

  constructor(canvas) {
    this.#canvas = canvas;
    document.addEventListener("theme", () => { this.#drawn = ""; });
  }

  /** Draw `sound` as heard up to `position`, over `span` seconds. */
  draw(sound, position, span) {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const heard = span ? Math.round((position / span) * (width / BAR)) : 0;
    const drawn = [width, height, heard, sound?.peaks.length, Math.round(span * 10), devicePixelRatio].join();
    if (drawn === this.#drawn || !width) return;
    this.#drawn = drawn;
    this.#paint(sound, heard, span, width, height);
  }

  #paint(sound, heard, span, width, height) {
    const scale = devicePixelRatio;
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    const context = this.#canvas.getContext("2d");
    context.scale(scale, scale);
    const style = getComputedStyle(this.#canvas);
    const { color: past, fill: future, stroke: unmade } = style; // from the style sheet, where the theme is
    const bars = Math.floor(width / BAR);
    for (let bar = 0; bar < bars; bar++) {
      const peak = sound ? peakOf(sound.peaks, bar, bars, span) : null;
      const size = Math.max(height * (peak ?? 0), height * QUIETEST, 2);
      context.fillStyle = peak === null ? unmade : bar < heard ? past : future;
      context.beginPath();
      context.roundRect(bar * BAR, (height - size) / 2, BAR - GAP, size, 1);
      context.fill();
    }
  }
}

/** The loudest of what one bar stands for, or null where nothing has been made yet. */
function peakOf(peaks, bar, bars, span) {
  const perBar = (span * PEAKS_A_SECOND) / bars;
  const first = Math.floor(bar * perBar);
  if (first >= peaks.length) return null;
  const last = Math.min(peaks.length, Math.max(first + 1, Math.floor((bar + 1) * perBar)));
  return Math.sqrt(Math.max(...peaks.slice(first, last))); // the root shows soft sounds, as ears hear them
}
