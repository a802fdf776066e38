SELECT style, article_no, colour, size, price::text,
  (row_number() OVER (PARTITION BY style ORDER BY colour COLLATE "C" NULLS FIRST, size_position, article_no) - 1)::text
FROM variant ORDER BY style COLLATE "C", article_no
