/** How complete readings are, of several kinds together. Pure. */

/** @typedef {{ received: number, missing: number }} Row  of the ledger */

/** Received of what was sent; null where nothing was. @param {readonly Row[]} ledger */
export function completeness(ledger) {
  const received = ledger.reduce((sum, row) => sum + row.received, 0),
    missing = ledger.reduce((sum, row) => sum + row.missing, 0);
  return { share: received ? received / (received + missing) : null, missing };
}
