SELECT m.style, CASE WHEN count(*) > 1 THEN 'variable' ELSE 'simple' END, min(article_no), coalesce(max(s.name), (array_agg(m.name ORDER BY article_no))[1]), max(s.brand),
  max(vat_rate)::text, (SELECT min(price)::text FROM variant v WHERE v.style = m.style), (SELECT max(price)::text FROM variant v WHERE v.style = m.style),
  (count(*) FILTER (WHERE for_sale) - (SELECT count(*) FROM variant v WHERE v.style = m.style))::text,
  CASE WHEN NOT bool_or(for_sale) THEN 'hidden' WHEN NOT EXISTS (SELECT FROM variant v WHERE v.style = m.style) THEN 'draft' ELSE 'published' END
FROM member m LEFT JOIN style s ON s.style_no = m.style GROUP BY m.style ORDER BY m.style COLLATE "C"
