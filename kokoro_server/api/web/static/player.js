// Plays a sound while it grows: each block is scheduled behind the last, to the sample.
//
// Pausing suspends the audio clock, so what is scheduled stays right. Seeking drops it all and schedules anew.

const LEAD = 0.05; // seconds between scheduling and hearing: less crackles on slow machines

export class Player extends EventTarget {
  #context = null;
  #analyser = null;
  #levels = null;
  #sources = new Set();
  #sound = null;
  #next = 0; // the block to schedule next
  #from = 0; // the second that playing began at
  #origin = 0; // when, on the audio clock, the sound's second 0 is or would have been heard
  #state = "empty";
  #onGrowth = () => this.#schedule();

  get state() {
    return this.#state;
  }

  get sound() {
    return this.#sound;
  }

  /** The second that is heard now. */
  get position() {
    if (!this.#sound || this.#state === "stopped") return 0;
    const late = this.#context.outputLatency || 0; // a Bluetooth headset's is a fifth of a second
    const at = this.#context.currentTime - this.#origin - (this.#state === "playing" ? late : 0);
    return Math.min(Math.max(at, this.#from), this.#sound.seconds);
  }

  /** How loud it is now: root mean square, 0 to 1. */
  get level() {
    if (!this.#analyser || this.#state !== "playing") return 0;
    this.#analyser.getFloatTimeDomainData(this.#levels);
    return Math.sqrt(this.#levels.reduce((sum, value) => sum + value * value, 0) / this.#levels.length);
  }

  /** Make ready for a sound. To be called in a click or key press: browsers let no others begin to play. */
  load(sound) {
    this.#open(sound.rate);
    this.#sound?.removeEventListener("change", this.#onGrowth);
    this.#sound = sound;
    sound.addEventListener("change", this.#onGrowth);
    this.#begin(0);
  }

  play() {
    if (!this.#sound) return;
    if (this.#state === "ended" || this.#state === "stopped") this.#begin(0);
    else this.#resume();
  }

  pause() {
    if (this.#state === "playing") this.#suspend();
  }

  stop() {
    if (this.#state !== "playing" && this.#state !== "paused") return;
    this.#silence();
    this.#enter("stopped");
  }

  seek(seconds) {
    this.#begin(Math.min(Math.max(seconds, 0), this.#sound.seconds), this.#state !== "playing");
  }

  /** Whether all that was made so far has been heard, and more is to come. */
  get isWaiting() {
    return this.#state === "playing" && !this.#sound.finished && this.position >= this.#sound.seconds;
  }

  #open(rate) {
    if (this.#context) return;
    this.#context = new AudioContext({ sampleRate: rate }); // its own rate: nothing is resampled block by block
    this.#analyser = new AnalyserNode(this.#context, { fftSize: 1024 });
    this.#levels = new Float32Array(this.#analyser.fftSize);
    this.#analyser.connect(this.#context.destination);
  }

  #begin(seconds, paused = false) {
    this.#silence();
    this.#from = seconds;
    this.#origin = this.#context.currentTime + LEAD - seconds;
    this.#next = this.#sound.blocks.findIndex((block) => (block.start + block.samples.length) / this.#sound.rate > seconds);
    if (this.#next < 0) this.#next = this.#sound.blocks.length;
    if (paused) this.#suspend();
    else this.#resume();
    this.#schedule();
  }

  #resume() {
    this.#context.resume();
    this.#enter("playing");
  }

  #suspend() {
    this.#context.suspend();
    this.#enter("paused");
  }

  #schedule() {
    if (this.#state === "stopped" || this.#state === "ended") return;
    while (this.#next < this.#sound.blocks.length) this.#start(this.#sound.blocks[this.#next++]);
    this.#settle();
  }

  #start(block) {
    const rate = this.#sound.rate;
    const buffer = this.#context.createBuffer(1, block.samples.length, rate);
    buffer.copyToChannel(Float32Array.from(block.samples, (sample) => sample / 32768), 0);
    const source = new AudioBufferSourceNode(this.#context, { buffer });
    source.connect(this.#analyser);
    source.onended = () => {
      this.#sources.delete(source);
      this.#settle();
    };
    const begins = Math.max(block.start / rate, this.#from);
    const late = this.#context.currentTime - (this.#origin + begins);
    if (late > 0) this.#origin += late + LEAD; // what follows is heard later by as much
    source.start(this.#origin + begins, begins - block.start / rate);
    this.#sources.add(source);
  }

  #settle() {
    if (this.#state === "playing" && this.#sound.finished && !this.#sources.size) this.#enter("ended");
  }

  #silence() {
    for (const source of this.#sources) {
      source.onended = null;
      source.stop();
      source.disconnect();
    }
    this.#sources.clear();
  }

  #enter(state) {
    this.#state = state;
    this.dispatchEvent(new Event("state"));
  }
}
