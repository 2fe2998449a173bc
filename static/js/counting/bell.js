/** Soft sounds, for eyes that stay on the picture. Off until somebody turns them on. */

/** Pitch in Hz, length in seconds and loudness of each tone. */
const TICK = [{ pitch: 880, long: 0.035, loud: 0.08 }];
const UNTICK = [{ pitch: 520, long: 0.05, loud: 0.08 }];
const STOP = [
  { pitch: 660, long: 0.16, loud: 0.16 },
  { pitch: 440, long: 0.3, loud: 0.16 },
];
const REFUSED = [{ pitch: 220, long: 0.12, loud: 0.12 }];

export class Bell {
  constructor() {
    this.on = false;
    /** @type {AudioContext | null} */
    this.context = null;
  }

  /** One cell more or fewer. @param {number} by */
  tick(by) {
    this.#play(by > 0 ? TICK : UNTICK);
  }

  /** The number to stop at is reached. */
  stop() {
    this.#play(STOP);
  }

  /** A key that adds nothing. */
  refused() {
    this.#play(REFUSED);
  }

  /** @param {{pitch: number, long: number, loud: number}[]} tones one after the other */
  #play(tones) {
    if (!this.on) return;
    // Browsers let a page make sounds only after a key or click, so it is made with the first.
    this.context ??= new AudioContext();
    this.context.resume().catch(() => {});
    let at = this.context.currentTime;
    for (const { pitch, long, loud } of tones) {
      const tone = this.context.createOscillator();
      const volume = this.context.createGain();
      tone.frequency.value = pitch;
      // Fading out keeps the end from clicking.
      volume.gain.setValueAtTime(loud, at);
      volume.gain.exponentialRampToValueAtTime(0.001, at + long);
      tone.connect(volume).connect(this.context.destination);
      tone.start(at);
      tone.stop(at + long);
      at += long;
    }
  }
}
