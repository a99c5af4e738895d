import { start } from './nest-app.mjs';

export default async function responsiveness({ jobs }) {
  const { app, flowrra } = await start();
  const work = async () => {
    const until = performance.now() + 0.01;
    while (performance.now() < until);
  };
  flowrra.register({ name: 'work' }, work);
  // In parts, since submitting a million in one go would itself hold the event loop.
  let last;
  for (let n = 0; n < jobs; n++) last = flowrra.submit(work);
  const id = await last;
  const late = [];
  let due = performance.now() + 10;
  const timer = setInterval(() => {
    const now = performance.now();
    late.push(Math.max(0, now - due));
    due = now + 10;
  }, 10);
  await flowrra.waitForResult(id);
  clearInterval(timer);
  late.sort((a, b) => a - b);
  await app.close();
  return {
    p50: late[Math.floor(late.length * 0.5)],
    p99: late[Math.floor(late.length * 0.99)],
    worst: late.at(-1),
  };
}
