-- Who opened findings, how many, and how severe.
SELECT
  opened_by, account, count(*) AS times,
  sum(CASE WHEN severity IN ('critical', 'high') THEN 1 ELSE 0 END) AS critical_or_high,
  min(observed_at) AS first_time, max(observed_at) AS last_time
FROM history
WHERE step IN ('opened', 'transient')
GROUP BY opened_by, account
ORDER BY critical_or_high DESC, times DESC, opened_by
