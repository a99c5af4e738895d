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

/** Reads a column's values once, and says what they are. */
export class ColumnSummary {
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

  add(value: string): void {
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
