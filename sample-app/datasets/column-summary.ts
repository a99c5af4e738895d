export interface Column {
  name: string;
  type: 'number' | 'date' | 'text';
  missing: number;
  min: number | string | null;
  max: number | string | null;
  /** Of numbers only. */
  mean: number | null;
}

export interface Summary {
  name: string;
  rows: number;
  columns: Column[];
}

const DATE = /^\d{4}[-/]\d{2}[-/]\d{2}/;

/** Reads records once, holding none of them. */
export async function summarise(
  name: string,
  records: AsyncIterable<Record<string, string>>,
): Promise<Summary> {
  const columns = new Map<string, ColumnSummary>();
  let rows = 0;
  for await (const record of records) {
    rows++;
    for (const [column, value] of Object.entries(record)) {
      const summary = columns.get(column) ?? new ColumnSummary(column);
      columns.set(column, summary);
      summary.add(value);
    }
  }
  return { name, rows, columns: [...columns.values()].map((column) => column.result()) };
}

/** Reads a column's values once, and says what they are. */
class ColumnSummary {
  private count = 0;
  private missing = 0;
  private numbers = 0;
  private dates = 0;
  private sum = 0;
  private least = Infinity;
  private most = -Infinity;
  private first: string | null = null;
  private last: string | null = null;

  constructor(private readonly name: string) {}

  add(cell: string): void {
    const value = cell.trim();
    if (value === '') {
      this.missing++;
      return;
    }
    this.count++;
    if (this.first === null || value < this.first) this.first = value;
    if (this.last === null || value > this.last) this.last = value;
    const number = Number(value);
    if (Number.isFinite(number)) {
      this.numbers++;
      this.sum += number;
      this.least = Math.min(this.least, number);
      this.most = Math.max(this.most, number);
    } else if (DATE.test(value)) this.dates++;
  }

  result(): Column {
    const { name, missing } = this;
    if (this.count > 0 && this.numbers === this.count) {
      return {
        name,
        type: 'number',
        missing,
        min: this.least,
        max: this.most,
        mean: round(this.sum / this.count),
      };
    }
    const type = this.count > 0 && this.dates === this.count ? 'date' : 'text';
    return { name, type, missing, min: this.first, max: this.last, mean: null };
  }
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
