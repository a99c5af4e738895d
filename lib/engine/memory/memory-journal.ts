import { EMPTY_JOURNAL, type Journal, type JournalEntry, MAX_POSTS } from '../../job/journal/journal.js';

/** The journal of one job. */
export class MemoryJournal {
  private readonly byKey = new Map<string, JournalEntry>();
  posts = 0;
  /** Whether an attempt has appended to it. */
  isAppended = false;

  read(): Journal {
    return this.byKey.size === 0 ? EMPTY_JOURNAL : { entries: [...this.byKey.values()], posts: this.posts };
  }

  append(entries: readonly JournalEntry[]): void {
    for (const entry of entries) this.byKey.set(entry.key, entry);
    this.isAppended = true;
  }

  /** @param always Whether a full journal accepts the entry, too. */
  post(entry: JournalEntry, always = false): 'posted' | 'known' | 'full' {
    if (this.byKey.has(entry.key)) return 'known';
    if (this.posts >= MAX_POSTS && !always) return 'full';
    this.byKey.set(entry.key, entry);
    this.posts++;
    return 'posted';
  }

  forget(keys: readonly string[], mark: JournalEntry): void {
    for (const key of keys) this.byKey.delete(key);
    this.byKey.set(mark.key, mark);
  }
}
