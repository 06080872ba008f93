-- Hours from opening to resolution, by rule.
SELECT
  rule, max(title) AS title, count(*) AS resolved, min(hours) AS shortest_hours,
  round(avg(hours), 1) AS average_hours, max(hours) AS longest_hours
FROM (
  SELECT
    rule, title,
    date_diff(
      'hour',
      CAST(replace(substr(opened_at, 1, 19), 'T', ' ') AS timestamp),
      CAST(replace(substr(observed_at, 1, 19), 'T', ' ') AS timestamp)
    ) AS hours
  FROM history
  WHERE step = 'resolved'
) AS resolutions
GROUP BY rule
ORDER BY average_hours DESC, rule
