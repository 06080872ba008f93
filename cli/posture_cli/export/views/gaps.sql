-- Scopes of which nothing is known before or since a time, or whose history is not intact.
SELECT account, region, subject, subject_name, first_observed_at, last_observed_at, history_intact
FROM scopes
WHERE present
  AND (
    first_observed_at IS NULL
    OR NOT history_intact
    OR date_diff('day', CAST(substr(last_observed_at, 1, 10) AS date), current_date) > 1
  )
ORDER BY account, region, subject
