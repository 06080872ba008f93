-- Findings that opened more than once.
SELECT
  id, max(title) AS title, max(resource) AS resource, max(subject) AS subject,
  max(account) AS account, count(*) AS times, min(observed_at) AS first_time,
  max(observed_at) AS last_time
FROM history
WHERE step = 'opened'
GROUP BY id
HAVING count(*) > 1
ORDER BY times DESC, id
