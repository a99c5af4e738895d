-- Rows that the second schema wrote, for later versions to read: metadata, reports, cancellation, keys, limits.
INSERT INTO jobs (id, task_id, chosen, task, queue, status, priority, due_at, submitted_at, args, metadata, keyed) VALUES
  (1, 's00tag000000001AAAAAAAAAAAAAAAAAAAAAAA', 0, 'echo', 'default', 'pending', 0, 1700000001000, 1699999990000, '["debounced"]',
   '{"by":"ada","at":{"$type":"Date","value":"2030-01-01T00:00:00.000Z"}}', 1);
INSERT INTO jobs (id, task_id, chosen, task, queue, status, priority, leased_until, claims, submitted_at, started_at, args, cancelling, progress, lines) VALUES
  (2, 's00tag000000002AAAAAAAAAAAAAAAAAAAAAAA', 0, 'echo', 'default', 'running', 0, 1699999999000, 1, 1699999990000, 1699999991000, '["told to end"]',
   'not needed', '{"done":3}', 2);
INSERT INTO jobs (id, task_id, chosen, task, queue, status, priority, place, submitted_at, args) VALUES
  (3, 's00tag000000003AAAAAAAAAAAAAAAAAAAAAAA', 0, 'echo', 'paused', 'pending', 0, 3, 1699999990000, '["held back"]');
INSERT INTO jobs (id, task_id, chosen, task, queue, status, failed, priority, claims, submitted_at, started_at, finished_at, finish_order, args, errors) VALUES
  (4, 's00tag000000004AAAAAAAAAAAAAAAAAAAAAAA', 0, 'echo', 'default', 'failed', 1, 0, 1, 1699999990000, 1699999991000, 1699999992000, 5, '["again"]',
   '[{"attempt":1,"name":"RangeError","message":"first","code":null,"stack":null,"at":1699999991000}]');
INSERT INTO logs (job, number, at, attempt, line) VALUES
  (2, 1, 1699999991000, 1, 'first line'), (2, 2, 1699999991500, 1, 'second line');
INSERT INTO dedupe_keys (key, job, task_id, until) VALUES
  ('echo/latest', 1, 's00tag000000001AAAAAAAAAAAAAAAAAAAAAAA', NULL),
  ('echo/hourly', 99, 's00tag00000002rAAAAAAAAAAAAAAAAAAAAAAA', 1700003600000);
INSERT INTO queues (queue, paused, since, starts) VALUES ('paused', 1, 0, 0), ('limited', 0, 1699999999000, 3);
INSERT INTO counts (queue, status, jobs) VALUES
  ('default', 'pending', 1), ('default', 'running', 1), ('default', 'failed', 1), ('paused', 'pending', 1);
UPDATE numbers SET value = 100 WHERE name = 'last';
UPDATE numbers SET value = 37960 WHERE name = 'tag';
