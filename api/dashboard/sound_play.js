/** Notes from oscillators: no files, and nothing to fetch when it matters. */

const NOTE_S = 0.18,
  PAUSE_S = 0.06,
  LOUD = 0.22,
  EDGE_S = 0.015;

/** @type {AudioContext | null} */
let context = null;

/** Whether the browser lets us sound. */
export const isAwake = () => context?.state === "running";

/** Only from what a person does: browsers demand a gesture. @param {() => void} changed  it may sound, or no longer */
export function wake(changed) {
  if (!context) {
    context = new AudioContext();
    context.addEventListener("statechange", changed);
  }
  context.resume().catch(() => {}); // asleep it says so, and the next gesture tries again
}

/** @param {readonly number[]} notes  Hz */
export function play(notes) {
  if (!context) return;
  let at = context.currentTime + EDGE_S;
  for (const hertz of notes) {
    const tone = new OscillatorNode(context, { type: "triangle", frequency: hertz });
    const volume = new GainNode(context, { gain: 0 });
    // A hard edge would click.
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(LOUD, at + EDGE_S);
    volume.gain.setValueAtTime(LOUD, at + NOTE_S - EDGE_S);
    volume.gain.linearRampToValueAtTime(0, at + NOTE_S);
    tone.connect(volume).connect(context.destination);
    tone.start(at);
    tone.stop(at + NOTE_S);
    at += NOTE_S + PAUSE_S;
  }
}
