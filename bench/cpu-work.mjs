export function small(n) {
  return n + 1;
}

export function heavy(n) {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += Math.sqrt(i);
  return sum;
}
