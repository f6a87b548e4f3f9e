// The PostgreSQL wire protocol, as far as something between a client and a back-end has to know it.

export const SSL_REQUEST = 80877103;
export const GSS_REQUEST = 80877104;
export const CANCEL_REQUEST = 80877102;

// One message: its type, then its length with itself, then its body.
export function message(type, ...parts) {
  const body = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part + "\0") : part)));
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

export function int16(value) {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

export function int32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export const typeOf = (packet) => String.fromCharCode(packet[0]);
export const bodyOf = (packet) => packet.subarray(5);
export const ready = (status) => message("Z", Buffer.from(status));
export const query = (text) => message("Q", text);

export function error(code, text, severity = "ERROR") {
  const fields = [`S${severity}`, `V${severity}`, `C${code}`, `M${text}`];
  return message("E", ...fields, Buffer.from([0]));
}

// The text at an offset of a body, and where the next field begins.
export function text(body, offset = 0) {
  const end = body.indexOf(0, offset);
  return [body.toString("utf8", offset, end), end + 1];
}

// The typed messages that a stretch of bytes holds, and what is left of it.
export function split(bytes) {
  const packets = [];
  let at = 0;
  while (bytes.length >= at + 5) {
    const end = at + 1 + bytes.readInt32BE(at + 1);
    if (bytes.length < end) break;
    packets.push(bytes.subarray(at, end));
    at = end;
  }
  return [packets, bytes.subarray(at)];
}

// Names and values of a start-up message.
export function startup(body) {
  const given = {};
  for (let at = 4; body[at]; ) {
    let name, value;
    [name, at] = text(body, at);
    [value, at] = text(body, at);
    given[name] = value;
  }
  return given;
}

// The `-c name=value` of a client's options.
export function settings(options = "") {
  return [...options.matchAll(/-c\s*([\w.]+)=((?:\\.|[^\s\\])*)/g)].map(([, name, value]) => [
    name,
    value.replace(/\\(.)/g, "$1"),
  ]);
}
