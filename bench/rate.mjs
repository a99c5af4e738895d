/** Jobs per second of what `run` does. */
export async function rate(jobs, run) {
  const started = performance.now();
  await run();
  return (1000 * jobs) / (performance.now() - started);
}

/** Calls `run` so often, `width` of them under way at a time. */
export async function inFlight(jobs, width, run) {
  let left = jobs;
  const lane = async () => {
    while (left-- > 0) await run();
  };
  await Promise.all(Array.from({ length: width }, lane));
}

export function percentile(numbers, share) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
