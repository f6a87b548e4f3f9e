/** The server's time: ages must not depend on whether the clock of this machine is right. */

let offset = 0;
// Less than this is the way of the message, not the clock.
const NOTICEABLE_MS = 1500;

export const now = () => Date.now() + offset;

/** @param {string} text  the server's time, RFC 3339 */
export function serverSaid(text) {
  const measured = Date.parse(text) - Date.now();
  if (Number.isFinite(measured) && Math.abs(measured - offset) > NOTICEABLE_MS) offset = measured;
}
