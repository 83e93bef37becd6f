// The server side of RFC 6455 as far as a browser on the same machine needs it: text, ping, close.
import { createHash } from 'node:crypto';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export class Socket {
  onText = () => {};
  onClose = () => {};
  #buffer = Buffer.alloc(0);
  #ended = false;

  constructor(request, stream) {
    this.stream = stream;
    const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + GUID).digest('base64');
    const protocol = request.headers['sec-websocket-protocol'] ? '\r\nSec-WebSocket-Protocol: verbatim.v1' : '';
    stream.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}${protocol}\r\n\r\n`);
    stream.setNoDelay(true);
    stream.on('data', (chunk) => this.#read(chunk));
    stream.on('error', () => this.#end());
    stream.on('close', () => this.#end());
  }

  send(frame) {
    if (!this.#ended) this.#write(1, Buffer.from(JSON.stringify(frame)));
  }

  close(code) {
    if (this.#ended) return;
    const body = Buffer.alloc(2);
    body.writeUInt16BE(code);
    this.#write(8, body);
    this.stream.end();
    this.#end();
  }

  #write(opcode, body) {
    const head = body.length < 126 ? Buffer.from([0x80 | opcode, body.length]) : body.length < 65_536 ? Buffer.from([0x80 | opcode, 126, body.length >> 8, body.length & 255]) : Buffer.alloc(10);
    if (head.length === 10) {
      head[0] = 0x80 | opcode;
      head[1] = 127;
      head.writeBigUInt64BE(BigInt(body.length), 2);
    }
    this.stream.write(Buffer.concat([head, body]));
  }

  #read(chunk) {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    for (;;) {
      const buffer = this.#buffer;
      if (buffer.length < 2) return;
      const short = buffer[1] & 127;
      const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
      if (buffer.length < 2 + extended + 4) return;
      const length = short === 126 ? buffer.readUInt16BE(2) : short === 127 ? Number(buffer.readBigUInt64BE(2)) : short;
      const start = 2 + extended + 4;
      if (buffer.length < start + length) return;
      const mask = buffer.subarray(2 + extended, start);
      const body = Buffer.from(buffer.subarray(start, start + length)).map((byte, index) => byte ^ mask[index & 3]);
      this.#buffer = buffer.subarray(start + length);
      const opcode = buffer[0] & 15;
      if (opcode === 1) this.onText(body.toString('utf8'));
      else if (opcode === 9) this.#write(10, body);
      else if (opcode === 8) return this.close(body.length >= 2 ? body.readUInt16BE(0) : 1000);
    }
  }

  #end() {
    if (this.#ended) return;
    this.#ended = true;
    this.onClose();
  }
}
