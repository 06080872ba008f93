-- Findings that are not resolved, with the days since they opened: the oldest first.
SELECT
  date_diff('day', CAST(substr(opened_at, 1, 10) AS date), current_date) AS days,
  severity, status, title, resource, subject, subject_name, account, region, opened_by, summary
FROM findings
WHERE status <> 'resolved'
ORDER BY days DESC, id
