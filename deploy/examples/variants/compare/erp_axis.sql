SELECT style, axis, (position - 1)::text, value FROM (
  SELECT style, 'colour' AS axis, row_number() OVER (PARTITION BY style ORDER BY colour COLLATE "C") AS position, colour AS value
  FROM (SELECT DISTINCT style, colour FROM variant WHERE colour IS NOT NULL) c
  UNION ALL
  SELECT style, 'size', row_number() OVER (PARTITION BY style ORDER BY size_position, size COLLATE "C"), size
  FROM (SELECT DISTINCT style, size, size_position FROM variant WHERE size IS NOT NULL) s
) a ORDER BY style COLLATE "C", axis, position
