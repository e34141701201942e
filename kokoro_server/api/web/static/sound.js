// A sound that may still be growing: samples in blocks, the peaks that are drawn of it, and its words.

export const PEAKS_A_SECOND = 50;
const LOUDEST = 32768;

export class Sound extends EventTarget {
  constructor(order, rate) {
    super();
    this.order = order;
    this.rate = rate;
    this.blocks = [];
    this.words = [];
    this.peaks = [];
    this.length = 0;
    this.finished = false;
    this.characters = 0;
  }

  get seconds() {
    return this.length / this.rate;
  }

  /** How long it will be, judged by how much of its text has been spoken. */
  get expectedSeconds() {
    if (this.finished || !this.characters) return this.seconds;
    return this.seconds * Math.max(1, this.order.text.length / this.characters);
  }

  add({ samples, words }) {
    this.words.push(...words);
    this.characters = Math.max(this.characters, ...words.map((word) => word.end));
    if (samples.length) {
      this.blocks.push({ start: this.length, samples });
      this.length += samples.length;
      this.#addPeaks(samples);
    }
    this.dispatchEvent(new Event("change"));
  }

  finish() {
    this.finished = true;
    this.dispatchEvent(new Event("change"));
  }

  /** The word that is being spoken at that second, or was last. */
  wordAt(seconds) {
    let [low, high] = [0, this.words.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.words[middle].startTime <= seconds) low = middle + 1;
      else high = middle;
    }
    return this.words[low - 1] ?? null;
  }

  /** The samples as little-endian 16 bit, in pieces that a Blob takes. */
  get pcm() {
    return this.blocks.map((block) => block.samples);
  }

  #addPeaks(samples) {
    const step = Math.round(this.rate / PEAKS_A_SECOND);
    for (let at = 0; at < samples.length; at += step) {
      let peak = 0;
      for (let i = at; i < Math.min(at + step, samples.length); i++) peak = Math.max(peak, Math.abs(samples[i]));
      this.peaks.push(peak / LOUDEST);
    }
  }
}
