-- Rows that the first schema wrote: jobs of every kind, for later versions to read.
INSERT INTO jobs (id, task_id, chosen, task, queue, status, priority, place, submitted_at, args) VALUES
  (1, 's00tag000000001AAAAAAAAAAAAAAAAAAAAAAA', 0, 'echo', 'default', 'pending', 0, 1, 1699999990000,
   '[{"when":{"$type":"Date","value":"2030-01-01T00:00:00.000Z"},"big":{"$type":"bigint","value":"12"},"none":{"$type":"undefined"}}]');
INSERT INTO jobs (id, task_id, chosen, task, queue, status, priority, due_at, submitted_at, args) VALUES
  (2, 'order-17', 1, 'echo', 'default', 'pending', 3, 1700000060000, 1699999990000, '["later"]');
INSERT INTO jobs (id, task_id, chosen, task, queue, status, priority, due_at, retries, claims, submitted_at, started_at, args, overrides, errors) VALUES
  (3, 's00tag000000003AAAAAAAAAAAAAAAAAAAAAAA', 0, 'fails', 'default', 'retrying', 0, 1700000001000, 1, 1, 1699999990000, 1699999991000,
   '[]', '{"maxRetries":1,"timeout":{"$type":"number","value":"Infinity"}}',
   '[{"attempt":1,"name":"RangeError","message":"first","code":null,"stack":null,"at":1699999991000}]');
INSERT INTO jobs (id, task_id, chosen, task, queue, status, priority, leased_until, claims, submitted_at, started_at) VALUES
  (4, 's00tag000000004AAAAAAAAAAAAAAAAAAAAAAA', 0, 'length', 'default', 'running', 0, 1699999999000, 1, 1699999990000, 1699999991000);
INSERT INTO large_args (job, args) VALUES (4, '["a long text"]');
INSERT INTO jobs (id, task_id, chosen, task, queue, status, priority, claims, submitted_at, started_at, finished_at, finish_order, args, result) VALUES
  (5, 's00tag000000005AAAAAAAAAAAAAAAAAAAAAAA', 0, 'echo', 'default', 'success', 0, 1, 1699999990000, 1699999991000, 1699999992000, 6, '["x"]',
   '{"$type":"Map","value":[["k",{"$type":"Set","value":[1,2]}]]}');
INSERT INTO jobs (id, task_id, chosen, task, queue, status, priority, claims, submitted_at, started_at, finished_at, finish_order, args, errors) VALUES
  (7, 's00tag000000007AAAAAAAAAAAAAAAAAAAAAAA', 0, 'echo', 'default', 'failed', 0, 1, 1699999990000, 1699999991000, 1699999993000, 8, '["again"]',
   '[{"attempt":1,"name":"RangeError","message":"first","code":null,"stack":null,"at":1699999991000}]');
INSERT INTO counts (queue, status, jobs) VALUES
  ('default', 'pending', 2), ('default', 'retrying', 1), ('default', 'running', 1), ('default', 'success', 1), ('default', 'failed', 1);
UPDATE numbers SET value = 8 WHERE name = 'last';
UPDATE numbers SET value = 37960 WHERE name = 'tag';
