-- Each control with the number of scopes that pass, fail and were not evaluated for it.
SELECT
  framework, control,
  CASE
    WHEN sum(CASE WHEN outcome = 'failed' THEN 1 ELSE 0 END) > 0 THEN 'fail'
    WHEN sum(CASE WHEN outcome IN ('unknown', 'unrecorded') THEN 1 ELSE 0 END) > 0
      THEN 'not evaluated'
    WHEN sum(CASE WHEN outcome = 'waived' THEN 1 ELSE 0 END) > 0 THEN 'waived'
    WHEN sum(CASE WHEN outcome = 'passed' THEN 1 ELSE 0 END) > 0 THEN 'pass'
    ELSE 'not evaluated'
  END AS state,
  sum(CASE WHEN outcome = 'passed' THEN 1 ELSE 0 END) AS passed,
  sum(CASE WHEN outcome = 'failed' THEN 1 ELSE 0 END) AS failed,
  sum(CASE WHEN outcome = 'waived' THEN 1 ELSE 0 END) AS waived,
  sum(CASE WHEN outcome IN ('unknown', 'unrecorded', 'out of scope') THEN 1 ELSE 0 END)
    AS not_evaluated
FROM controls
GROUP BY framework, control
ORDER BY framework, control
