-- What was opened and put back between two observations, and by whom.
SELECT
  opened_at, updated_at AS closed_at, severity, title, resource, subject, account, region,
  opened_by, opened_by_event, resolved_by, resolved_by_event, reason
FROM history
WHERE step = 'transient'
ORDER BY opened_at, id
