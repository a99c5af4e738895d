// Whether a server answers, asked in its own protocol, so that no client library is needed.
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

const ANSWER_BOUND_MS = 2_000;

/** Sends the request, and resolves to the answer up to where `enough` is content, or to what there is. */
function ask({ host, port, tls = false }, request, enough) {
  return new Promise((resolve) => {
    const socket = tls ? connectTls({ host, port, servername: host }) : connect({ host, port });
    let answer = Buffer.alloc(0);
    const done = () => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(ANSWER_BOUND_MS, done);
    socket.on('error', done).on('close', done);
    socket.on('data', (data) => {
      answer = Buffer.concat([answer, data]);
      if (enough(answer)) done();
    });
    socket.write(request);
  });
}

/** Whether Redis answers and, if asked for, is the process with that id. */
export async function redisAnswers(address, pid) {
  if (pid === undefined) {
    // A server which wants a password is up; the password is the client's matter.
    const answer = await ask(address, 'PING\r\n', (text) => text.includes('\r\n'));
    return /^(\+PONG|-NOAUTH)/.test(answer.toString());
  }
  const identity = `process_id:${pid}\r\n`;
  const answer = await ask(address, 'PING\r\nINFO server\r\n', (text) => text.includes(identity));
  return answer.toString().startsWith('+PONG') && answer.includes(identity);
}

/** Whether PostgreSQL takes connections, by the same measure as pg_isready. */
export async function postgresAnswers(address) {
  const parameters = Buffer.from('user\0postgres\0database\0postgres\0\0');
  const head = Buffer.alloc(8);
  head.writeInt32BE(head.length + parameters.length, 0);
  head.writeInt32BE(3 << 16, 4); // protocol 3.0
  const whole = (text) => text.length >= 5 && text.length > text.readInt32BE(1);
  const answer = await ask(address, Buffer.concat([head, parameters]), whole);
  // An error other than "the database system is starting up" comes from a server which is up.
  return answer[0] === 0x52 || (answer[0] === 0x45 && whole(answer) && !answer.includes('C57P03\0'));
}

/** Whether MariaDB or MySQL takes connections: it greets each one with version 10 of its protocol. */
export async function mariadbAnswers(address) {
  const greets = (text) => text.length > 4;
  const greeting = await ask(address, '', greets);
  // 4 bytes are the packet's head. An error has 0xff in place of the version.
  return greets(greeting) && greeting[4] === 10;
}
