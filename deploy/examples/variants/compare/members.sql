-- What the other comparisons are made of: an article with its group and its gross price.
CREATE VIEW member AS
SELECT coalesce(nullif(trim(style_no), ''), article_no) AS style, article_no COLLATE "C" AS article_no, a.name,
  nullif(lower(trim(colour)), '') AS colour, nullif(upper(trim(a.size)), '') AS size, coalesce(o.position, 999) AS size_position,
  NOT blocked AS for_sale, round(net_price * (1 + rate / 100), 2) AS price, rate AS vat_rate
FROM article a JOIN vat_rate USING (vat_code) LEFT JOIN size_order o ON o.size = a.size;
CREATE VIEW variant AS
SELECT DISTINCT ON (style, m.colour, m.size) m.* FROM member m
WHERE for_sale AND (colour IS NOT NULL AND size IS NOT NULL OR (SELECT count(*) FROM member o WHERE o.style = m.style) = 1)
ORDER BY style, m.colour, m.size, article_no;
