/** The same load for every pool: `small` and `heavy` run one call, on two threads; `heavyAlone` on one. */
export async function load({ calls }, { small, heavy, heavyAlone }) {
  await Promise.all(Array.from({ length: 5_000 }, (_, n) => small(n)));
  for (let n = 0; n < 5_000; n++) await small(n);
  let started = performance.now();
  for (let n = 0; n < calls / 4; n++) await small(n);
  const single = (1000 * (calls / 4)) / (performance.now() - started);

  started = performance.now();
  let left = calls;
  const worker = async () => {
    while (left-- > 0) await small(left);
  };
  await Promise.all(Array.from({ length: 1_000 }, worker));
  const flight = (1000 * calls) / (performance.now() - started);

  const timed = async (call) => {
    await Promise.all([call(1_000), call(1_000)]);
    const begin = performance.now();
    await Promise.all(Array.from({ length: 16 }, () => call(20_000_000)));
    return performance.now() - begin;
  };
  return { single, flight, speedUp: (await timed(heavyAlone)) / (await timed(heavy)) };
}
