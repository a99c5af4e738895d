// sample-app/tasks/follow.ts
import type { TaskUpdate } from 'flowrra';

/** The members of a browser's `EventSource` that `follow` uses. */
export interface Source {
  onopen: (() => void) | null;
  onmessage: ((event: { data: string }) => void) | null;
  close(): void;
}

/** In the browser: `follow(new EventSource(`/tasks/${taskId}/updates`), show)`. */
export function follow(source: Source, show: (update: TaskUpdate, lines: string[]) => void): void {
  let lines: string[] = [];
  // The first update of each connection contains all lines.
  source.onopen = () => (lines = []);
  source.onmessage = ({ data }) => {
    const update = JSON.parse(data) as TaskUpdate;
    lines.push(...update.logs.map(({ line }) => line));
    show(update, lines);
    // Otherwise the browser connects again when the stream has ended.
    if (update.isComplete) source.close();
  };
}
