-- Waivers in force, and the days until they expire: the next one first.
SELECT
  date_diff('day', current_date, CAST(substr(expires_at, 1, 10) AS date)) AS days_left,
  rule, resource, scope, reason, ticket, requested_by, approved_by, expires_at
FROM waivers
WHERE state = 'in force'
ORDER BY expires_at, id
